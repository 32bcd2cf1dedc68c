"""Everything to reports."""
