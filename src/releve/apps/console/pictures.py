"""A live page's picture in parts: only those that changed are sent, each to be drawn in a task of its own.

A template says what is a part with `part()` of `_parts.html`; what stands around the parts is the frame.
A picture without parts is all frame.
"""

import hashlib
import re

import msgspec

_RUNNING = re.compile(r'data-seconds="-?\d+"([^>]*>)[^<]*')  # see chrono.js
_GROWING = re.compile(r"<svg data-growing.*?</svg>", re.DOTALL)  # as long as such a clock says
# What people wrote is escaped: none of it can look like these.
_PART = re.compile(r"<!--part ([\w-]+)-->(.*?)<!--/part-->", re.DOTALL)
_DIGITS = 8  # of a part's mark; the frame's has twice as many


class _Parts(msgspec.Struct, frozen=True):
    frame: str
    inner: tuple[tuple[str, str], ...]  # by the id of the element that it fills

    @property
    def marks(self) -> tuple[str, ...]:
        return (_digest(self.frame, 2 * _DIGITS), *(_digest(t, _DIGITS) for _, t in self.inner))


def mark_of(picture: str) -> str:
    """By which a live page says what it shows already; clocks that run on by themselves are no news."""
    return "".join(_parts(picture).marks)


def news(picture: str, shown: str) -> list[str]:
    """What has to be drawn on a page that shows the picture of the mark `shown`, piece by piece.

    The whole picture when its frame is another one, or when nothing is known of what it shows.
    """
    parts = _parts(picture)
    frame, *inner = parts.marks
    known = _inner_marks(shown)
    if not shown.startswith(frame) or len(known) != len(inner):
        return [picture]
    return [
        _piece(name, text)
        for (name, text), mark, old in zip(parts.inner, inner, known, strict=True)
        if mark != old
    ]


def _parts(picture: str) -> _Parts:
    text = str(picture)  # a plain string: parts of Markup are escaped when they are joined
    inner = tuple((found[1], found[2]) for found in _PART.finditer(text))
    return _Parts(_PART.sub(r"<!--part \1-->", text), inner)


def _inner_marks(shown: str) -> list[str]:
    marks = shown[2 * _DIGITS :]
    return [marks[at : at + _DIGITS] for at in range(0, len(marks), _DIGITS)]


def _piece(name: str, text: str) -> str:
    return f'<hx-partial hx-target="#{name}" hx-swap="innerMorph">{text}</hx-partial>'


def _digest(text: str, digits: int) -> str:
    still = " ".join(_GROWING.sub("", _RUNNING.sub(r"\1", text)).split())
    return hashlib.sha256(still.encode()).hexdigest()[:digits]
