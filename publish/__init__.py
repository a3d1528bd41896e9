"""Where an image goes: the file as Azure takes it, its upload, galleries; planned before it is done."""
