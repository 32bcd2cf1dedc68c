"""Relève keeps care providers working through cyber-attacks."""

__version__ = "0.1.0"
