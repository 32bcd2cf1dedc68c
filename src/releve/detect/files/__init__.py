"""Judges backed-up files: what changed between two snapshots, file by file, then as a whole."""
