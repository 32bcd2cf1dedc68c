"""A mailbox by IMAP (RFC 3501)."""

import contextlib
import datetime as dt
import imaplib
import re
from typing import Any

from releve.adapters.mail.way import SECONDS, Way, told, trusting
from releve.assist.letters import MOST_BYTES
from releve.flow.server.mail_ports import Arrived, MailFailed

_DATE = re.compile(rb'INTERNALDATE "([^"]+)"')
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_WANTED = f"(INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{MOST_BYTES}>)"


class ImapLetters:
    """One connection, for one thread at a time."""

    def __init__(self, way: Way, password: str, authority: str = "") -> None:
        with told(imaplib.IMAP4.error):
            self._imap = _connect(way, authority)
        try:
            with told():
                self._log_in(way, password)
                self._ask("select", _quoted(way.folder))
        except MailFailed:
            self.close()
            raise
        self.validity = self._number("UIDVALIDITY")

    def _log_in(self, way: Way, password: str) -> None:
        try:
            self._imap.login(way.login, password)
        except (imaplib.IMAP4.error, UnicodeError) as error:
            raise MailFailed("login") from error

    def last_uid(self) -> int:
        """Of all that has come until now."""
        return self._number("UIDNEXT") - 1

    def uids(self, after: int, since: dt.date | None = None) -> list[int]:
        wanted = f"UID {after + 1}:*"
        if since is not None:
            wanted += f" SINCE {since:%d-%b-%Y}"
        self._ask("noop")
        (found,) = self._ask("uid", "SEARCH", wanted)
        # N:* names the last mail even when it came before N.
        return sorted(uid for uid in map(int, (found or b"").split()) if uid > after)

    def fetch(self, uid: int) -> Arrived | None:
        for part in self._ask("uid", "FETCH", str(uid), _WANTED):
            if isinstance(part, tuple):
                facts, raw = part
                date, size = _DATE.search(facts), _SIZE.search(facts)
                if date is None or size is None:
                    raise MailFailed("refused")
                return Arrived(uid=uid, at=_moment(date[1]), size=int(size[1]), raw=raw)
        return None

    def acknowledge(self, uid: int) -> None:
        self._ask("uid", "STORE", str(uid), "+FLAGS.SILENT", r"(\Seen)")

    def close(self) -> None:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self._imap.logout()

    def _number(self, name: str) -> int:
        with told(imaplib.IMAP4.error):
            _, found = self._imap.response(name)
        if not found or not isinstance(found[0], bytes):
            raise MailFailed("refused")
        return int(found[0])

    def _ask(self, verb: str, *words: str) -> list[Any]:
        with told(imaplib.IMAP4.error):
            status, answer = getattr(self._imap, verb)(*words)
        if status != "OK":
            raise MailFailed("refused")
        return list(answer)


def _connect(way: Way, authority: str) -> imaplib.IMAP4:
    if way.scheme == "imaps":
        context = trusting(authority)
        return imaplib.IMAP4_SSL(way.host, way.port, ssl_context=context, timeout=SECONDS)
    imap = imaplib.IMAP4(way.host, way.port, timeout=SECONDS)
    if not way.is_local:
        imap.starttls(trusting(authority))
    return imap


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _moment(said: bytes) -> dt.datetime:
    """17-Jul-1996 02:44:25 -0700, with a space for a day of one digit."""
    try:
        return dt.datetime.strptime(said.decode("ascii").strip(), "%d-%b-%Y %H:%M:%S %z")
    except ValueError as error:
        raise MailFailed("refused") from error
