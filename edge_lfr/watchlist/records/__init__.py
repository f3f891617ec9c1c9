"""What tells of lists that ended, and of nobody on them without the key of one officer."""
