"""Instant availability: a clean point opened at once, brought home while people work, handed over."""
