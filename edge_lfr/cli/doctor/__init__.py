"""`edge-lfr doctor`."""
