"""Ransomware and wipers: what a change did to a file, and who adds up."""
