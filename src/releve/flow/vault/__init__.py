"""The vault: gate, receipts, openings, scrub: ports, rules and drivers."""
