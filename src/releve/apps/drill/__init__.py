"""The commands of restore drills."""
