"""What people and hosts wrote, as it may stand on a terminal."""

_SPACES = "\u00a0\u202f"  # of French typography


def printable(line: str) -> str:
    """One thing, one line: what somebody wrote in it can neither begin another nor command a terminal."""
    return "".join(c if c.isprintable() or c in _SPACES else ascii(c)[1:-1] for c in line)
