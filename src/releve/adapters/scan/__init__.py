"""What the scan of snapshots needs of the world: the catalogue, the contents, the rules."""
