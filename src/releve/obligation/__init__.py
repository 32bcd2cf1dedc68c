"""Incidents to legal obligations."""
