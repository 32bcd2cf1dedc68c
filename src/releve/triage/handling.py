"""What people do with incidents: merge, split, close, reopen. Each with a name and a reason."""

import datetime as dt
import hashlib
from collections.abc import Sequence

import msgspec

from releve.model.finding import Severity
from releve.model.incident import Change, Entry, Incident
from releve.triage.incidents import LIMITS, Limits, gravity, host_of, united, with_lines

_replace = msgspec.structs.replace
_LONGEST = 500


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """Who says so, when, and why; `id` tells it from every other word."""

    by: str
    at: dt.datetime
    why: str
    id: str


class HandlingError(ValueError):
    """What was asked makes no sense of these incidents; `why` has its text in the console."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def merge(kept: Incident, other: Incident, word: Word, limits: Limits = LIMITS) -> Change:
    """Both under the first one's id. Raises: HandlingError."""
    _check(word)
    if kept.id == other.id:
        raise HandlingError("same")
    if kept.merged_into or other.merged_into:
        raise HandlingError("merged")
    if kept.closed_at is not None:
        raise HandlingError("closed")
    line = _line("merged", word)
    whole = with_lines(united(kept, other, limits), (line,), limits)
    # Said to be one: what was said before, that they are two, holds no more.
    ids = {kept.id, other.id, *whole.merged}
    whole = _replace(whole, apart=tuple(i for i in whole.apart if i not in ids))
    gone = _replace(other, closed_at=word.at, closed_by=word.by, merged_into=kept.id)
    return Change(incidents=(whole, gone), entries={whole.id: (line,)})


def split(
    incident: Incident,
    hosts: Sequence[str],
    lines: Sequence[Entry],
    word: Word,
    limits: Limits = LIMITS,
) -> Change:
    """A new incident with these hosts, and the one they leave. The two never join again by themselves.

    `lines` are all that the timeline has, not only the newest. Raises: HandlingError.
    """
    _check(word)
    if incident.closed_at is not None:
        raise HandlingError("closed")
    going, staying = set(hosts), [h for h in incident.hosts if h not in hosts]
    if not going or going - set(incident.hosts):
        raise HandlingError("hosts")
    if not staying:
        raise HandlingError("all")
    left = [e for e in lines if host_of(e, incident) in going]
    stays = [e for e in lines if host_of(e, incident) not in going]
    fresh = _part(incident, [h for h in incident.hosts if h in going], left)
    digest = hashlib.sha256(f"{incident.id}\0{word.id}".encode()).hexdigest()[:16]
    own, gone = _line("split_from", word), _line("split", word)
    # Sums that name no host cannot be parted: they stay.
    kept = _replace(_part(incident, staying, stays), rest=incident.rest)
    fresh = _replace(fresh, id=digest, apart=(*incident.apart, incident.id, *incident.merged))
    fresh = with_lines(fresh, [*left, own], limits)
    kept = with_lines(
        _replace(kept, id=incident.id, merged=incident.merged), [*stays, gone], limits
    )
    kept = _replace(kept, apart=(*incident.apart, digest), resumed=incident.resumed)
    entries = {fresh.id: (own,), kept.id: (gone,)}
    return Change(incidents=(fresh, kept), entries=entries, moved_hosts=tuple(sorted(going)))


def close(incident: Incident, word: Word, limits: Limits = LIMITS) -> Change:
    """Raises: HandlingError."""
    _check(word)
    if incident.closed_at is not None:
        raise HandlingError("closed")
    line = _line("closed", word)
    shut = _replace(incident, closed_at=word.at, closed_by=word.by)
    return Change(incidents=(with_lines(shut, (line,), limits),), entries={shut.id: (line,)})


def reopen(incident: Incident, word: Word, limits: Limits = LIMITS) -> Change:
    """Raises: HandlingError."""
    _check(word)
    if incident.merged_into:
        raise HandlingError("merged")
    if incident.closed_at is None:
        raise HandlingError("open")
    line = _line("reopened", word)
    again = _replace(incident, closed_at=None, closed_by="")
    return Change(incidents=(with_lines(again, (line,), limits),), entries={again.id: (line,)})


def _check(word: Word) -> None:
    if not word.by.strip() or not word.why.strip():
        raise HandlingError("reason")


def _line(kind: str, word: Word) -> Entry:
    return Entry(
        at=word.at,
        kind=kind,
        finding="",
        id=f"{word.id}-{kind}",
        severity=Severity.INFO,
        why=word.why.strip()[:_LONGEST],
        by=word.by,
    )


def _part(incident: Incident, hosts: Sequence[str], lines: Sequence[Entry]) -> Incident:
    """What of the incident is of these hosts; its timeline still empty."""
    times = [e.at for e in lines if e.finding] or [incident.first_sign(h) for h in hosts]
    worst = max((e.severity for e in lines), key=gravity, default=incident.severity)
    return Incident(
        id=incident.id,
        structure=incident.structure,
        host=hosts[0],
        other_hosts=tuple(hosts[1:]),
        opened_at=min(times),
        last_at=max(times),
        severity=worst,
        signs={h: incident.first_sign(h) for h in hosts},
        indicators={h: i for h, i in incident.indicators.items() if h in hosts},
        stops=tuple(s for s in incident.stops if (s.host or incident.host) in hosts),
    )
