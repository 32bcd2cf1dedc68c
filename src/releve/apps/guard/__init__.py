"""The guard: holds every original, watches, stops, rolls back."""
