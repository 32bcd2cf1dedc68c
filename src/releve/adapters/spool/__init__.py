"""The agent's own state on its host, in SQLite."""
