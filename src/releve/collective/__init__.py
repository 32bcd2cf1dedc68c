"""What groups share."""
