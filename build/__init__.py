"""How an image is made: plan, steps, package families, disk layout, boot loaders, VHD, manifest."""
