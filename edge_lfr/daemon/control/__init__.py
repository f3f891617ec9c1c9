"""What technicians ask of the running appliance, over a socket of this machine."""
