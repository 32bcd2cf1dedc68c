"""The command releve."""
