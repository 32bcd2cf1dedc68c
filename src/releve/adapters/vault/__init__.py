"""The vault on this machine: journal, gate, views, scrub."""
