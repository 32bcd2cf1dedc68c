"""Bytes to events: one module per source format."""
