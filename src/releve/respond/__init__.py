"""Incidents to actions."""
