"""The backup engine."""
