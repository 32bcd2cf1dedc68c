"""Text: UTF-8, UTF-16 or an 8-bit code, and the formats that are text."""

# ruff: noqa: PLR2004 - numbers of the formats themselves: offsets, lengths, codes

import re

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid
from releve.detect.ransom.formats.uniform import is_flat, places

# A NUL is no proof: a log cut by copytruncate starts with a hole. Escape and form feed are text.
_CONTROL = bytes([byte for byte in range(1, 32) if byte not in b"\t\n\r\f\x1b\x08"]) + b"\x7f"
_LOW = bytes(range(128))
_GRAIN = 512
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
TEXTS = frozenset({"text", "csv", *(kind for kind, _ in _HEADS)})


def check(data: Bytes, name: str, spots: Spots, limits: ContentLimits) -> Check | None:
    """Text or not; None if it is not text at all, broken if only parts of it are."""
    head = data.read(0, limits.window_bytes)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _wide(head)
    bad = total = 0
    flat = told = 0
    for at, piece in _pieces(data, spots, limits):
        total += 1
        if not _reads(piece, limits):
            bad += 1
        elif len(piece) >= limits.sample_least and told < 6:  # six windows tell
            told += 1
            flat += is_flat(piece, limits)
        del at
    if bad == total:
        return None
    kind = _kind(head, name)
    if bad:
        return (
            broken(kind, f"{bad} of {total} windows are not text")
            if _reads(head[:_GRAIN], limits) or bad * 2 < total
            else None
        )
    if told and flat == told and kind != "pem":
        return carrier(
            "encoded",
            f"every window uses its alphabet evenly, as base64 of ciphertext does ({name[-8:]})",
        )
    return valid(kind)


def _pieces(data: Bytes, spots: Spots, limits: ContentLimits) -> list[tuple[int, bytes]]:
    width = limits.window_bytes
    if data.size <= limits.whole_bytes:
        where: tuple[int, ...] = tuple(range(0, data.size, width))
    else:
        where = tuple(sorted({*places(data.size, limits.windows * 2, width), *spots}))
    return [(at, data.read(at, width)) for at in where]


def _reads(piece: bytes, limits: ContentLimits) -> bool:
    """Whether a window is text throughout: every 512 bytes of it."""
    if piece.isascii() and len(piece.translate(None, _CONTROL)) == len(piece):
        return True
    return all(_grain_reads(piece[at : at + _GRAIN], limits) for at in range(0, len(piece), _GRAIN))


def _grain_reads(grain: bytes, limits: ContentLimits) -> bool:
    shown = grain.translate(None, b"\0")  # a hole in a log
    control = len(shown) - len(shown.translate(None, _CONTROL))
    if control > max(1, limits.control_share * len(shown)):
        return False
    if shown.isascii():
        return True
    try:
        shown[_lead(shown) :].decode()
    except UnicodeDecodeError as error:
        if error.start + 4 >= len(shown):  # a character cut by the end of the window
            return True
        high = len(shown.translate(None, _LOW))
        return high <= limits.high_share * len(shown)
    return True


def _lead(grain: bytes) -> int:
    """Bytes that end a character begun in the window before."""
    for at in range(min(3, len(grain))):
        if grain[at] & 0xC0 != 0x80:  # UTF-8 continuation
            return at
    return 0


def _wide(head: bytes) -> Check | None:
    try:
        head[: len(head) & ~1].decode("utf-16")
    except UnicodeDecodeError as error:
        if error.start + 4 < len(head):
            return None
    # Every second byte of western UTF-16 is zero; random bytes after a mark decode often enough.
    return valid("text", "UTF-16") if head.count(0) * 4 > len(head) else None


def _kind(head: bytes, name: str) -> str:
    for kind, pattern in _HEADS:
        if pattern.match(head.removeprefix(b"\xef\xbb\xbf")):
            return kind
    return "csv" if name.lower().endswith((".csv", ".tsv")) else "text"
