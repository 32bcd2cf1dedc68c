"""The simulation: real attacks on a marked practice share."""
