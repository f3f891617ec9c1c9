"""
One frozen model per phase, and one loader for files and environment.

Nothing that decides has a default: mode, watchlist threshold basis and retention come from the file, the pack's
calibration or a signed authority. Every stage is given its own section, and nobody imports a settings object.
"""
