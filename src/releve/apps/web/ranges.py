"""Parts of a file that a browser asks for (RFC 9110, 14.2): one part; of several it gets the whole."""

import re

import msgspec

_ONE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` up to, but without, `end`."""

    start: int
    end: int
    is_whole: bool = False

    @property
    def length(self) -> int:
        return self.end - self.start


def part_of(said: str, size: int) -> Part | None:
    """The part that is meant; the whole when none or nonsense is said; None: beyond the end."""
    found = _ONE.fullmatch(said.strip())
    if found is None or found.group() == "bytes=-":
        return Part(start=0, end=size, is_whole=True)
    first, last = found.groups()
    if not first:  # the last so many bytes
        length = min(int(last), size)
        return Part(start=size - length, end=size) if length else None
    end = min(int(last) + 1, size) if last else size
    if last and int(last) < int(first):
        return Part(start=0, end=size, is_whole=True)
    return Part(start=int(first), end=end) if int(first) < size else None
