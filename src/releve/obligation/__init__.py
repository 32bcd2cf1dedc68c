"""Incident -> legal clocks and dossiers. The law itself is content, dated and sourced."""
