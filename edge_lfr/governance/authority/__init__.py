"""Whether a deployment is allowed: what an authority says, what policy lets it say, who signed it, who revoked it."""
