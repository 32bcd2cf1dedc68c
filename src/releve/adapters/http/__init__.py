"""The wire between agent and server."""
