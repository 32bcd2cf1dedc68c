"""What others wrote, as it may stand on a terminal."""

import shlex

_SPACES = "\u00a0\u202f"  # of French typography


def plain(text: str) -> str:
    """One line: names may hold signs that would command a terminal, or begin a line of their own."""
    return "".join(sign if sign.isprintable() or sign in _SPACES else "\ufffd" for sign in text)


def as_word(text: str) -> str:
    """One word of a command that a page shows: people paste it into a shell, and hosts chose the names."""
    return shlex.quote(plain(text))
