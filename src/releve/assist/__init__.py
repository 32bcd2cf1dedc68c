"""Help requests to answers."""
