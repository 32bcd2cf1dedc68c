"""A labelled series of snapshots: what people, programs and attackers do between two backups."""
