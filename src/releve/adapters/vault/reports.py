"""How telling the server goes, structure by structure: refused since when, or gone and told no more."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from releve.adapters.durable import write

log = structlog.get_logger()
_AGAIN_NS = (
    86_400_000_000_000  # a server that was brought back from an older copy may know it again
)
_SAID_AGAIN_NS = 3_600_000_000_000
_SHOWN = 16  # digits of a token's SHA-256


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Why one structure's server takes nothing, since when; `is_gone`: it told us to stop."""

    token: str  # the digest's first digits: a new token is told anew
    why: str
    since_ns: int
    is_gone: bool = False


_reports = msgspec.json.Decoder(dict[str, Report]).decode


class Reports:
    """Kept in a file, which gate and commands share; what goes well is not in it.

    One structure's trouble is its own: it stands here and in the log, and is no notice to the others.
    """

    def __init__(self, file: Path, now_ns: Callable[[], int]) -> None:
        self._file, self._now_ns = file, now_ns
        self._lock = threading.Lock()
        self._asked_ns: dict[str, int] = {}  # of those gone, by this process
        self._said_ns: dict[str, int] = {}

    def all(self) -> dict[str, Report]:
        """By the structure's name on this vault; "" is the one token for all."""
        try:
            return _reports(self._file.read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}

    def is_over(self, structure: str, token: str) -> bool:
        """Whether nothing is to be sent. The server is asked again at each start and once a day."""
        known = self.all().get(structure)
        if known is None or not known.is_gone or known.token != _digest(token):
            return False
        now = self._now_ns()
        with self._lock:
            if now - self._asked_ns.get(structure, -_AGAIN_NS) >= _AGAIN_NS:
                self._asked_ns[structure] = now
                return False
        return True

    def taken(self, structure: str) -> None:
        """The server took something: what was wrong is over."""
        with self._lock:
            known = self.all()
            if known.pop(structure, None) is not None:
                log.info("reporting_resumed", structure=structure)
                self._keep(known)

    def refused(self, structure: str, token: str, why: str, *, is_gone: bool = False) -> None:
        """Said when it is new, and once an hour while it lasts; that a structure is gone, once."""
        with self._lock:
            known, now = self.all(), self._now_ns()
            before, ours = known.get(structure), _digest(token)
            is_same = before is not None and before.token == ours
            if before is not None and is_same and before.is_gone:
                return  # whatever it answers now, it did not take anything
            since = before.since_ns if before is not None and is_same and not is_gone else now
            report = Report(token=ours, why=why, since_ns=since, is_gone=is_gone)
            if report != before:
                known[structure] = report
                self._keep(known)
            if is_gone:
                self._asked_ns[structure] = now
                log.warning("structure_gone", structure=structure)
            elif report != before or now - self._said_ns.get(structure, 0) >= _SAID_AGAIN_NS:
                self._said_ns[structure] = now
                log.warning("not_delivered", structure=structure, why=why)

    def _keep(self, known: dict[str, Report]) -> None:
        try:
            write(self._file, msgspec.json.encode(known))
        except OSError:  # a full disk: it is found out again
            log.exception("reporting_not_kept")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:_SHOWN]
