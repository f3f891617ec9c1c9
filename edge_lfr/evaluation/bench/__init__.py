"""Measurements of the whole and of its parts, each against a target; a table for people, rows for programs."""
