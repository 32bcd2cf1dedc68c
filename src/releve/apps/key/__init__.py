"""Keys of the backup: on paper, for drills, and a new generation after a leak."""
