"""`edge-lfr watchlist`."""
