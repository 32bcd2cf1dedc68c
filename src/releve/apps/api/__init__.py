"""The interface for tools of operators and structures."""
