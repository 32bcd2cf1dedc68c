"""Reference adapters for tests."""
