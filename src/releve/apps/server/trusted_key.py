"""The key that a signature is held against: the one that was named, else this server's own."""

from pathlib import Path

from releve.apps.server.home import Home
from releve.model.errors import UsageError

_ELSEWHERE = (
    "The key is the server's: there `releve audit key` prints it (compare it with the copy on paper,"
    " or by telephone), then here: --key KEY. On the server itself: --home DIR, its home."
)
_HERE = "Run it on the server, or name the server's home with --home DIR."


def own_key(home: Path, *, can_name: bool = True) -> bytes:
    """The public key of the server that lives in `home`; nothing is made.

    Args:
        can_name: the command takes --key.

    Raises: UsageError.
    """
    if Home(home).has_key():
        return Home(home).public_key()
    raise no_key(home, can_name=can_name)


def no_key(home: Path, *, can_name: bool) -> UsageError:
    """What is said of a home without a server's key."""
    missing = UsageError(f"{home} holds no key of a server.")
    missing.remedy = _ELSEWHERE if can_name else _HERE
    return missing
