"""Whether anybody may be compared: asked in steps before, and looked at every second from then on."""
