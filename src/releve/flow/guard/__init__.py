"""The guard: read, hold, judge; then stop, roll back, settle."""
