"""The life of the process: start, supervision, control, stop."""
