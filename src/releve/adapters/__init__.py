"""The only code that does I/O, one port each."""
