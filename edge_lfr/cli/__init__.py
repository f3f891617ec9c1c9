"""The command line: one file a noun, nothing that decides."""
