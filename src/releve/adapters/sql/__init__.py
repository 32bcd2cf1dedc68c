"""State in SQLite or PostgreSQL."""
