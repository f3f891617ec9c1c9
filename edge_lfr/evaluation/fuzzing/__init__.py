"""Hostile bytes for every reader of the appliance: specimens made by its own code, mutated, attempted, and counted."""
