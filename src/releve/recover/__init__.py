"""Incidents to recoveries."""
