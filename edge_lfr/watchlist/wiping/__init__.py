"""What is left of a list that was destroyed: nothing, and the proof of it."""
