"""Indicators: what a hostile program stamps on files, as tokens that are the same on every host."""

import hashlib
import re
from collections.abc import Iterable

EXTENSION, NOTE = "extension", "note"
MOST = 8  # of one finding: nobody stamps with more, and a host that lies is bounded
_FORM = re.compile(rf"(?:{EXTENSION}|{NOTE}):[0-9a-f]{{32}}")


def indicator_of(kind: str, name: str) -> str:
    """No key, for two hosts share none: whoever has a token can test a guess of the name."""
    text = f"{kind}\0{name.casefold()}".encode("utf-8", "surrogateescape")
    return f"{kind}:{hashlib.sha256(text).hexdigest()[:32]}"


def sound(indicators: Iterable[str]) -> tuple[str, ...]:
    """Those that have the form, each once, in order; what a host made up besides is dropped."""
    return tuple(sorted({i for i in indicators if _FORM.fullmatch(i)})[:MOST])
