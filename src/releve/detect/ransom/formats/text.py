"""Text: UTF-8, UTF-16 or an 8-bit code, and the formats that are text."""

import re

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid
from releve.detect.ransom.formats.uniform import is_flat, places

# A NUL is no proof: a log cut by copytruncate starts with a hole. Escape and form feed are text.
_CONTROL = bytes([byte for byte in range(1, 32) if byte not in b"\t\n\r\f\x1b\x08"]) + b"\x7f"
_LOW = bytes(range(128))
_GRAIN = 512
_TOLD = 6  # windows that say whether a file is one long base64 run
_HEADS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("rtf", re.compile(rb"\s*\{\\rtf")),
    ("hl7", re.compile(rb"\s*\x0b?(MSH|FHS|BHS)\|")),
    ("html", re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)),
    ("xml", re.compile(rb"\s*<(\?xml|[A-Za-z_][\w:.-]*[\s/>])")),
    ("json", re.compile(rb"\s*[\[{]\s*[\"\[{\d\]}tfn-]")),
    (
        "eml",
        re.compile(
            rb"(Return-Path|Received|From|Date|To|Subject|MIME-Version|Message-ID|Delivered-To|X-[\w-]+):",
            re.IGNORECASE,
        ),
    ),
    ("pem", re.compile(rb"-----BEGIN (?!PGP MESSAGE|AGE )")),
)
_LETTERED = frozenset({"pem", "eml"})  # base64 by nature
TEXTS = frozenset({"text", "csv", *(kind for kind, _ in _HEADS)})


def check(data: Bytes, name: str, spots: Spots, limits: ContentLimits) -> Check | None:
    """Text or not; None if it is not text at all, broken if only parts of it are."""
    head = data.read(0, limits.window_bytes)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _wide(_pieces(data, spots, limits))
    if _is_plain(data, limits):
        pieces = _some(data, limits)
        bad = 0
    else:
        pieces = _pieces(data, spots, limits)
        bad = sum([not _reads(piece, limits) for piece in pieces])
    if bad == len(pieces) or (bad and not _grain_reads(head[:_GRAIN], limits)):
        return None
    kind = _kind(head, name)
    if bad:
        return broken(kind, f"{bad} of {len(pieces)} windows are not text")
    if kind not in _LETTERED and _is_encoded(pieces, limits):
        return carrier("encoded", "every window uses its alphabet evenly, as base64 does")
    return valid(kind)


def _is_plain(data: Bytes, limits: ContentLimits) -> bool:
    """UTF-8 without control characters from end to end: most files are, and need no windows."""
    if data.size > limits.whole_bytes:
        return False
    whole = data.read(0, data.size)
    if len(whole.translate(None, _CONTROL)) != len(whole):
        return False
    return whole.isascii() or (b"\0" not in whole and _is_utf8(whole))


def _some(data: Bytes, limits: ContentLimits) -> list[bytes]:
    """The windows that `_is_encoded` asks, of a file that reads throughout."""
    width = limits.window_bytes
    count = max(1, -(-data.size // width))
    step = max(1, count // _TOLD)
    return [data.read(at * width, width) for at in range(0, count, step)]


def _is_encoded(pieces: list[bytes], limits: ContentLimits) -> bool:
    """Whether every window that can tell is flat: the first one already decides for real text."""
    told = [piece for piece in pieces if len(piece) >= limits.sample_least]
    step = max(1, len(told) // _TOLD)
    return bool(told) and all(is_flat(piece, limits) for piece in told[::step][:_TOLD])


def _pieces(data: Bytes, spots: Spots, limits: ContentLimits) -> list[bytes]:
    width = limits.window_bytes
    if data.size <= limits.whole_bytes:
        return [data.read(at, width) for at in range(0, data.size, width)]
    where = {*places(data.size, limits.windows * 2, width), *spots}
    return [data.read(at, width) for at in sorted(where)]


def _reads(piece: bytes, limits: ContentLimits) -> bool:
    """Whether a window is text throughout: every 512 bytes of it."""
    if len(piece.translate(None, _CONTROL)) == len(piece):
        return piece.isascii() or _is_utf8(piece) or _is_eight_bit(piece, limits)
    return all(_grain_reads(piece[at : at + _GRAIN], limits) for at in range(0, len(piece), _GRAIN))


def _grain_reads(grain: bytes, limits: ContentLimits) -> bool:
    shown = grain.translate(None, b"\0")  # a hole in a log
    control = len(shown) - len(shown.translate(None, _CONTROL))
    if control > max(1, limits.control_share * len(shown)):
        return False
    if _is_utf8(shown):
        return True
    return control == 0 and _is_eight_bit(shown, limits)


def _is_eight_bit(piece: bytes, limits: ContentLimits) -> bool:
    """Latin-1, Cyrillic; uniform bytes were refused before, by their control characters."""
    return len(piece.translate(None, _LOW)) <= limits.high_share * len(piece)


def _is_utf8(piece: bytes) -> bool:
    """Whether bytes are UTF-8, but for characters cut at both ends."""
    try:
        piece[_lead(piece) :].decode()
    except UnicodeDecodeError as error:
        return error.start + 4 > len(piece) and error.reason == "unexpected end of data"
    return True


def _lead(grain: bytes) -> int:
    """Bytes that end a character begun in the window before."""
    for at in range(min(3, len(grain))):
        if grain[at] & 0xC0 != 0x80:  # UTF-8 continuation
            return at
    return 0


def _wide(pieces: list[bytes]) -> Check | None:
    """Western UTF-16: every second byte is zero; random bytes behind a mark decode often enough."""
    bad = sum([piece.count(0) * 4 < len(piece) for piece in pieces])
    if bad == len(pieces):
        return None
    if bad:
        return broken("text", f"{bad} of {len(pieces)} windows are not UTF-16")
    return valid("text", "UTF-16")


def _kind(head: bytes, name: str) -> str:
    for kind, pattern in _HEADS:
        if pattern.match(head.removeprefix(b"\xef\xbb\xbf")):
            return kind
    return "csv" if name.lower().endswith((".csv", ".tsv")) else "text"
