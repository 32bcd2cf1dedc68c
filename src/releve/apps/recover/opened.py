"""Who opened what, over the share and by browser: one chained journal per recovery, for the structure."""

import contextlib
import datetime as dt
import secrets
import threading
from pathlib import Path

import msgspec

from releve.adapters.chained import Journal
from releve.adapters.durable import write
from releve.apps.recover.state import RecoveryHome
from releve.sense.path_token import token_of

JOURNAL = "opened.jsonl"
_KEY = "path.key"
_AGAIN_S = 60.0
_MOST_RECENT = 10_000


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody opened a file, or came in: one line, chained so that none can be taken out."""

    at: str
    address: str
    user: str
    path: str  # a patient's name may be in it: the file is root's and stays on this host
    how: str  # "read", "write", "beside", "delete", "refused", "entered", "knocked", "invited", "revoked"
    via: str = "smb"  # "smb", "browser", "machine"
    token: str = ""  # of the path, with a key of this recovery: what may be told elsewhere
    previous: str = ""
    hash: str = ""


class OpenedJournal:
    """The journal of one recovery; the file server's follower and the pages write side by side."""

    def __init__(self, home: RecoveryHome) -> None:
        self._home = home.path
        self.journal = Journal(home.path / JOURNAL, Opened)
        self._recent: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def add(self, lines: list[Opened]) -> None:
        """On disk when this returns."""
        if not lines:
            return
        key = self._key()
        self.journal.add(
            [
                msgspec.structs.replace(line, token=token_of(key, line.path) if line.path else "")
                for line in lines
            ]
        )

    def note(self, user: str, address: str, path: str, how: str, now: dt.datetime) -> None:
        """What somebody does by browser; the same again within a minute is one line."""
        if how == "read" and self._is_repeated((user, path, how), now):
            return
        at = now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        via = "browser" if address else "machine"  # who makes links out stands at the machine
        line = Opened(at=at, address=address, user=user, path=path, how=how, via=via)
        self.add([line])

    def _is_repeated(self, what: tuple[str, str, str], now: dt.datetime) -> bool:
        """Viewers ask for a file in many parts."""
        with self._lock:
            is_new = now.timestamp() - self._recent.get(what, 0.0) > _AGAIN_S
            if is_new:
                self._recent[what] = now.timestamp()
                if len(self._recent) > _MOST_RECENT:
                    self._recent.clear()
            return not is_new

    def _key(self) -> bytes:
        return own_secret(self._home / _KEY)


def own_secret(path: Path) -> bytes:
    """64 random bytes that only this host has; made once."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    write(path, secrets.token_bytes(64))
    return path.read_bytes()
