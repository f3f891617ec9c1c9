"""The data path, top to bottom: `capture`, `faces`, `identification`, `reporting`; `path` says how they meet."""
