"""A file or folder brought back as it was."""
