"""Many images: what is built, judged, booted and published in one night, on one machine or on many."""
