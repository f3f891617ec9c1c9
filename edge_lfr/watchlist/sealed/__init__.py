"""The list at rest: sealed row by row, whole or not there, and gone at its end."""
