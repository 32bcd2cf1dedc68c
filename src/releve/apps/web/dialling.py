"""What a phone dials for a number as people write it."""

import re

_WRITTEN = re.compile(r"\+?[0-9][0-9 .()/\u00a0\u202f-]*")


def dialled(number: str) -> str:
    """Digits, with the plus of another country; empty for what is no number alone.

    Never a star or a hash: those are orders to the phone or to its network.
    """
    written = number.strip()
    if not _WRITTEN.fullmatch(written):
        return ""
    if written.startswith("+"):
        written = written.replace("(0)", "")  # left out when one calls from elsewhere
    digits = "".join(sign for sign in written if sign in "+0123456789")
    return digits if 2 <= len(digits.lstrip("+")) <= 15 else ""
