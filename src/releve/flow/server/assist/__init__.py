"""Calls for help: taken in, escalated until a named person comes, answered."""
