"""Programs that the agent starts."""
