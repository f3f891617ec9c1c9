"""Camera to `Frame`: hostile bytes are decoded in a child process; each frame leaves here in a slot of its camera."""
