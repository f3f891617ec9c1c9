"""What people at the other end see: the control room's terminal."""
