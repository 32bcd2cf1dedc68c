"""The drivers and the ports they need."""
