"""One-time links made out to one person, and the sessions that they open; in a folder of root's alone.

Two ways for two halves: the link by mail or on paper, its code of six digits by word of mouth. Only
hashes are kept, one small file each, so that the command that makes a link out, or takes it back,
and the program that serves pages need nothing but the folder.
"""

import contextlib
import datetime as dt
import fcntl
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from releve.adapters.durable import write
from releve.adapters.system import new_id

MOST_TRIES = 5
_CODE_DIGITS = 6
_T = TypeVar("_T")


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was not used yet."""

    id: str
    person: str
    rights: tuple[str, ...]
    secret_sha256: str
    code_sha256: str = ""  # of secret and code; empty: no code is asked
    until: dt.datetime
    session_hours: float
    tries: int = 0


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who came in by a link."""

    person: str
    rights: tuple[str, ...]
    csrf: str
    opened_at: dt.datetime
    until: dt.datetime
    address: str = ""

    def may(self, right: str) -> bool:
        return right in self.rights


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """Told once, kept nowhere: the end of the link's address, and the code to be said aloud."""

    token: str
    code: str
    until: dt.datetime


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """A session with its secret, which only the browser keeps."""

    secret: str
    session: Session


class Passes:
    """Links and sessions of one program, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._links, self._sessions = folder / "links", folder / "sessions"

    def make(self) -> None:
        """Make the folder, its owner's alone."""
        for place in (self._folder, self._links, self._sessions):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.chmod(0o700)

    def issue(
        self,
        person: str,
        rights: tuple[str, ...],
        *,
        now: dt.datetime,
        hours: float,
        session_hours: float,
        with_code: bool,
    ) -> Issued:
        """Make a link out to a person."""
        self.make()
        number, secret = new_id(), secrets.token_urlsafe(32)
        code = f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}" if with_code else ""
        made = Pass(
            id=number,
            person=person,
            rights=rights,
            secret_sha256=_digest(secret),
            code_sha256=_digest(secret + code) if with_code else "",
            until=now + dt.timedelta(hours=hours),
            session_hours=session_hours,
        )
        write(self._links / f"{number}.json", msgspec.json.encode(made))
        return Issued(token=f"{number}.{secret}", code=code, until=made.until)

    def look(self, token: str, now: dt.datetime) -> Pass | None:
        """The link as it stands, without using it: programs that look at mails follow links, too."""
        number, _, secret = token.partition(".")
        found = _read(self._links / f"{_plain(number)}.json", Pass)
        if found is None or now >= found.until:
            return None
        return found if hmac.compare_digest(found.secret_sha256, _digest(secret)) else None

    def redeem(self, token: str, code: str, now: dt.datetime, address: str) -> Entered | None:
        """Use the link up; None when it or its code is wrong. Too many wrong codes end the link."""
        with self._alone():
            found = self.look(token, now)
            if found is None:
                return None
            place = self._links / f"{found.id}.json"
            said = _digest(token.partition(".")[2] + code.replace(" ", ""))
            if found.code_sha256 and not hmac.compare_digest(found.code_sha256, said):
                again = msgspec.structs.replace(found, tries=found.tries + 1)
                if again.tries >= MOST_TRIES:
                    place.unlink()
                else:
                    write(place, msgspec.json.encode(again))
                return None
            place.unlink()
            return self._open(found, now, address)

    def session(self, secret: str, now: dt.datetime) -> Session | None:
        """Whose session this is; None when it ended, by time or by somebody's word."""
        if not secret:
            return None
        found = _read(self._sessions / f"{_digest(secret)}.json", Session)
        return found if found is not None and now < found.until else None

    def end(self, secret: str) -> None:
        """Sign out."""
        (self._sessions / f"{_digest(secret)}.json").unlink(missing_ok=True)

    def revoke(self, person: str) -> int:
        """End every link and session of a person; how many there were."""
        ended = 0
        with self._alone():
            for place in [*self._links.glob("*.json"), *self._sessions.glob("*.json")]:
                found = self._any(place)
                if found is not None and found.person == person:
                    place.unlink(missing_ok=True)
                    ended += 1
        return ended

    def forget(self, now: dt.datetime) -> None:
        """Remove what is over."""
        for place in [*self._links.glob("*.json"), *self._sessions.glob("*.json")]:
            found = self._any(place)
            if found is not None and now >= found.until:
                place.unlink(missing_ok=True)

    def _open(self, used: Pass, now: dt.datetime, address: str) -> Entered:
        secret = secrets.token_urlsafe(32)
        session = Session(
            person=used.person,
            rights=used.rights,
            csrf=secrets.token_urlsafe(24),
            opened_at=now,
            until=now + dt.timedelta(hours=used.session_hours),
            address=address,
        )
        write(self._sessions / f"{_digest(secret)}.json", msgspec.json.encode(session))
        return Entered(secret=secret, session=session)

    def _any(self, place: Path) -> Pass | Session | None:
        return _read(place, Pass) if place.parent == self._links else _read(place, Session)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self.make()
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _read(place: Path, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(place.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(number: str) -> str:
    """Only letters and digits: it becomes the name of a file."""
    return "".join(sign for sign in number[:40] if sign.isascii() and sign.isalnum())
