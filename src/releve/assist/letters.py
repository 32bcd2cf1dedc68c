"""Bytes of a mail -> Letter | Unreadable. Whoever wrote it may mean harm.

Nothing of it is rendered: of HTML the words are taken, attachments are counted. Headers are read as text
of one line without control characters, so that nothing of theirs can end a header of ours.
"""

import email.parser
import hashlib
import re
from collections.abc import Iterable
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses
from html.parser import HTMLParser

import msgspec

from releve.model.mail import Letter

MOST_BYTES = 256 * 1024  # of a mail; what it says stands at its beginning
_MOST_PARTS = 100
_LONGEST_LINE, _LONGEST_TEXT, _MOST_THREAD = 300, 2000, 50
_ADDRESS = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9.-]{1,190}")
_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{1,250}>")
_BULK = ("bulk", "list", "junk", "auto_reply")
_UNSEEN = ("script", "style", "head", "template")


class Unreadable(msgspec.Struct, frozen=True):
    why: str


def parse(raw: bytes) -> Letter | Unreadable:
    try:
        return _letter(email.parser.BytesParser().parsebytes(raw))
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError) as error:
        # The library's own, on what no mail program writes.
        return Unreadable(type(error).__name__)


def _letter(mail: Message) -> Letter:
    parts = _leaves(mail)
    attached = [part for part in parts if _is_attached(part)]
    sender, subject, text = _sender(mail), _line(mail, "subject"), _text(parts)
    message_id = "".join(_ids(mail, "message-id")[:1])
    made = (sender, message_id, _line(mail, "date"), subject, text)
    return Letter(
        sender=sender,
        message_id=message_id,
        thread=(*_ids(mail, "references"), *_ids(mail, "in-reply-to"))[-_MOST_THREAD:],
        subject=subject,
        text=text,
        attachments=len(attached),
        received=_line(mail, "received"),
        is_automatic=_is_automatic(mail),
        is_forged="dmarc=fail" in _line(mail, "authentication-results").lower(),
        fingerprint=hashlib.sha256("\0".join(made).encode()).hexdigest(),
    )


def _leaves(mail: Message) -> list[Message]:
    """The parts that hold something, up to so many; not what is inside a mail that is attached."""
    found: list[Message] = []
    waiting = [mail]
    while waiting and len(found) < _MOST_PARTS:
        part = waiting.pop(0)
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            waiting = [one for one in inner if isinstance(one, Message)] + waiting
        else:
            found.append(part)
    return found


def _is_attached(part: Message) -> bool:
    is_text = part.get_content_type() in ("text/plain", "text/html")
    return not is_text or part.get_content_disposition() == "attachment"


def _text(parts: Iterable[Message]) -> str:
    shown = [part for part in parts if not _is_attached(part)]
    plain = [part for part in shown if part.get_content_type() == "text/plain"]
    said = "\n".join(_decoded(p) for p in plain) or "\n".join(_words(_decoded(p)) for p in shown)
    lines = (_clean(line).rstrip() for line in said.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:_LONGEST_TEXT]


def _decoded(part: Message) -> str:
    body = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return ""
    return _as_text(body, part.get_content_charset() or "utf-8")


def _as_text(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset, "replace")
    except (LookupError, UnicodeError, ValueError):
        return body.decode("utf-8", "replace")


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (the base's)
        self._hidden += tag in _UNSEEN
        if tag in ("br", "p", "div", "tr", "li"):
            self.said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _UNSEEN and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.said.append(data)


def _words(html: str) -> str:
    reader = _Words()
    reader.feed(html)
    return "".join(reader.said)


def _sender(mail: Message) -> str:
    said = mail.get_all("from", [])
    # One line of one address: two would be one for us and another for who reads the mail.
    pairs = getaddresses([str(one) for one in said])
    address = pairs[0][1].lower() if len(said) == len(pairs) == 1 else ""
    return address if _ADDRESS.fullmatch(address) else ""


def _ids(mail: Message, header: str) -> tuple[str, ...]:
    return tuple(_ID.findall(" ".join(str(one) for one in mail.get_all(header, []))))


def _is_automatic(mail: Message) -> bool:
    """RFC 3834, and what mailing lists and older programs write instead."""
    auto = _line(mail, "auto-submitted").lower()
    return (
        (auto != "" and not auto.startswith("no"))
        or _line(mail, "precedence").lower() in _BULK
        or "list-id" in mail
        or "x-autoreply" in mail
        or _line(mail, "return-path") == "<>"
    )


def _line(mail: Message, header: str) -> str:
    """The topmost header of that name, decoded, in one line."""
    raw = next((value for name, value in mail.raw_items() if name.lower() == header), "")
    said = str(raw).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        parts = decode_header(said)
    except (ValueError, email.errors.HeaderParseError):
        parts = [(said, None)]
    text = "".join(
        part if isinstance(part, str) else _as_text(part, charset or "utf-8")
        for part, charset in parts
    )
    return " ".join(_clean(text).split())[:_LONGEST_LINE]


def _clean(text: str) -> str:
    """Without control characters and halves of characters; spaces stay."""
    whole = text.encode("utf-8", "replace").decode()
    return "".join(sign if sign.isprintable() else " " for sign in whole)
