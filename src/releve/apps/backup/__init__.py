"""Backups of the protected folders to an append-only server."""
