"""`releve vault`: the append-only gate before the backup store."""
