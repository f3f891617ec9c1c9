"""Kills the appliance's writers by SIGKILL at random moments, and looks at what they leave: `scripts/torture`."""
