"""Who a user number is on this machine."""

import functools
import pwd


@functools.lru_cache(maxsize=512)
def named(uid: str) -> str:
    """Such as "claire (1001)"; a number that nobody here has stays the number, a name stays a name."""
    if not uid.isascii() or not uid.isdigit():
        return uid
    try:
        return f"{pwd.getpwuid(int(uid)).pw_name} ({uid})"
    except (KeyError, OverflowError):
        return uid
