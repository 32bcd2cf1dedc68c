"""The agent: supervises the guard, spools, backs up, obeys."""
