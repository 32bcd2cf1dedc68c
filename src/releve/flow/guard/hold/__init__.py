"""Stage two, hold: every save becomes a held original, as long as there is room."""
