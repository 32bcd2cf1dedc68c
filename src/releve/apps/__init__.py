"""Main, configuration and wiring; the only code that picks adapters."""
