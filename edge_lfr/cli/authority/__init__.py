"""`edge-lfr authority`."""
