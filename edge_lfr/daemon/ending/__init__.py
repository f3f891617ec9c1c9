"""The end of a list: by the daemon, by its next start, or by a timer where none runs."""
