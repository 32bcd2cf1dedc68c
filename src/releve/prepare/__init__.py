"""A structure to advice."""
