"""Watchlists on their way: one encrypted file, signed by its issuer, written and read without touching a disk."""
