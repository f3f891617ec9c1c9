"""`Decision` to alert or discard: what is told to a human, and what becomes a number."""
