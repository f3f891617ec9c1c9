"""
One frozen model per phase, and one loader for files and environment.

Nothing that decides has a default: mode and watchlist threshold basis come from the file, the pack's calibration or a
signed authority. Retention alone has one: the shortest period that is published. Every stage is given its own section,
and nobody imports a settings object.
"""
