"""What follows from a conviction: stop, write down, undo, tell."""
