"""The practice share of the simulation: real formats, invented people."""
