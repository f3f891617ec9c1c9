"""The command line: one file or folder a noun, nothing that decides."""
