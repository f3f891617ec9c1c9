"""The list in memory: templates side by side, searched exactly or through a graph."""
