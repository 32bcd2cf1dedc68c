"""The command recover: a clean point opened to the practice at once."""
