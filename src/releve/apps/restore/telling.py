"""Who brought what back: the host's own journal with names, and an event without for the server."""

import datetime as dt
from pathlib import Path

import msgspec

from releve.adapters.chained import Journal
from releve.adapters.spool.sqlite import SqliteSpool
from releve.apps.agent.config import Home
from releve.apps.restore.wizard import Back
from releve.model.event import FileRestored
from releve.sense.path_token import PathKey, hide, token_of

JOURNAL = "restored.jsonl"
SEE = "see"  # a right of a link: to look at versions on the page


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal: somebody came in, or brought something back, or could not."""

    at: str
    person: str
    address: str
    what: str  # "entered", "refused", "looked", "previewed", "restored", "failed"
    path: str = ""  # patient data: the journal is root's and stays on this host
    to: str = ""
    source: str = ""
    version_at: str = ""
    verdict: str = ""
    sha256: str = ""
    kept_as: str = ""
    why: str = ""
    previous: str = ""
    hash: str = ""


class Teller:
    """Writes the journal, and tells the server if this host has one."""

    def __init__(self, folder: Path, agent: Path) -> None:
        self.journal = Journal(folder / JOURNAL, Noted)
        self._agent = Home(agent)

    def note(self, what: str, person: str, address: str, path: str = "", why: str = "") -> None:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        line = Noted(at=now, person=person, address=address, what=what, path=path, why=why)
        self.journal.add([line])

    def restored(self, back: Back, person: str, address: str) -> None:
        """Keep what was done, then tell the server: how it was done, never what it is called."""
        now = dt.datetime.now(dt.UTC)
        self.journal.add(
            [
                Noted(
                    at=now.isoformat(timespec="milliseconds"),
                    person=person,
                    address=address,
                    what="failed" if back.failed else "restored",
                    path=back.path,
                    to=back.to,
                    source=back.source,
                    version_at=back.version_at.isoformat(),
                    verdict=back.verdict.value,
                    sha256=back.sha256,
                    kept_as=back.kept_as,
                    why="; ".join(back.failed[:3]),
                )
            ]
        )
        self._tell(back, person, now)

    def _tell(self, back: Back, person: str, now: dt.datetime) -> None:
        if not self._agent.is_enrolled():
            return
        config = self._agent.config()
        key = PathKey(key=self._agent.path_key(), labels=config.labels)
        event = FileRestored(
            seen_at=now,
            path=hide(key, back.path),
            by=token_of(key.key, f"personne:{person}"),
            source=back.source,
            version_at=back.version_at,
            in_place=back.to == back.path,
            ok=not back.failed,
            files=back.files,
        )
        spool = SqliteSpool(self._agent.spool, most_bytes=config.spool_bytes)
        try:
            spool.add([event], names=[(event.path.token, back.path)])
        finally:
            spool.close()
