"""Findings -> incidents, as a fold: yesterday's attack replays as tomorrow's test."""

import datetime as dt
import hashlib
from collections.abc import Sequence

import msgspec

from releve.model.finding import Finding, Severity
from releve.model.incident import Change, Entry, Incident
from releve.triage.bonds import bond, crowded_line, link_line
from releve.triage.stops import added, with_finding, with_stops


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How findings are put together."""

    # A stopped attacker tries again within minutes; half an hour apart reads as another story.
    quiet: dt.timedelta = dt.timedelta(minutes=30)
    # No host has so many attacks that people work on; one that lies would fill the list with them.
    open: int = 50  # of one host
    entries: int = 500  # of the value; the database keeps every line
    stops: int = 200
    indicators: int = 64  # of one host; the first ones stay: a bond never goes away


_GRAVITY = (Severity.INFO, Severity.NOTICE, Severity.SERIOUS, Severity.CRITICAL)
# Told on the page, but never an incident of their own, nor a line in one.
_APART = frozenset({"would_stop", "approved", "enforcing"})
LIMITS = Limits()
_Indicators = dict[str, tuple[str, ...]]  # by host
_replace = msgspec.structs.replace


def step(
    open_: Sequence[Incident], finding: Finding, *, structure: str, limits: Limits = LIMITS
) -> Change | None:
    """The incident that the finding opens or lengthens, and what it joins; None: it stands alone.

    `open_` holds the structure's open incidents in any order; grave findings give the same
    incidents in whatever order they come, until a host has as many as it may have: what else it
    tells goes into one. A finding that was folded before changes nothing.
    """
    if finding.kind in _APART:
        return None
    for incident in open_:
        if _has(incident, finding):
            return Change(incidents=(incident,))
    if (named := _named(open_, finding)) is not None:
        entry = entry_of(finding)
        return Change(incidents=(_with_line(named, entry, limits),), entries={named.id: (entry,)})
    alone = fold(_opened(finding, structure), finding, limits)
    near = [(i, b) for i in open_ if (b := bond(i, alone, limits.quiet)) is not None]
    if not near:
        return _begun(open_, alone, finding, limits) if is_grave(finding.severity) else None
    base, why = max(near, key=lambda pair: (pair[1].is_own, pair[0].last_at, pair[0].id))
    grown, told = fold(base, finding, limits), [entry_of(finding)]
    if finding.host not in base.hosts:
        link = link_line(why, f"link-{finding.id}", finding.seen_at, finding.host)
        grown, told = _with_line(grown, link, limits), [*told, link]
    return _joined(grown, [i for i in open_ if i.id != base.id], told, finding.seen_at, limits)


def _named(open_: Sequence[Incident], finding: Finding) -> Incident | None:
    """The one for which something was done: it gets the line, not the machine that tells it."""
    found = (i for i in open_ if finding.incident in (i.id, *i.merged))
    return next(found, None) if finding.incident else None


def _begun(open_: Sequence[Incident], alone: Incident, finding: Finding, limits: Limits) -> Change:
    """A new incident; or of a host that has too many, all that is too much in one, with its count."""
    own = [i for i in open_ if finding.host in i.hosts]
    if len(own) < limits.open:
        return Change(incidents=(alone,), entries={alone.id: alone.timeline})
    crowded = next((i for i in own if i.crowded and i.hosts == (finding.host,)), None)
    if crowded is not None:
        grown = _replace(fold(crowded, finding, limits), crowded=crowded.crowded + 1)
        return Change(incidents=(grown,), entries={grown.id: (entry_of(finding),)})
    line = crowded_line(f"crowded-{alone.id}", finding.seen_at, finding.host, limits.open)
    first = _replace(_with_line(alone, line, limits), crowded=1)
    return Change(incidents=(first,), entries={first.id: first.timeline})


def _joined(
    base: Incident,
    others: list[Incident],
    told: list[Entry],
    at: dt.datetime,
    limits: Limits,
) -> Change:
    """Take in what now belongs with it, until nothing more does."""
    gone: list[Incident] = []
    while True:
        found = next(
            ((i, b) for i in others if (b := bond(base, i, limits.quiet)) is not None), None
        )
        if found is None:
            return Change(incidents=(base, *gone), entries={base.id: tuple(told)})
        other, why = found
        others = [i for i in others if i.id != other.id]
        link = link_line(why, f"link-{base.id}-{other.id}", at, other.host)
        base = _with_line(united(base, other, limits), link, limits)
        gone.append(_replace(other, closed_at=at, merged_into=base.id))
        told.append(link)


def gravity(severity: Severity) -> int:
    return _GRAVITY.index(severity)


def is_grave(severity: Severity) -> bool:
    """It opens an incident, and somebody is to look at it."""
    return gravity(severity) >= gravity(Severity.SERIOUS)


def fold(incident: Incident, finding: Finding, limits: Limits = LIMITS) -> Incident:
    """The incident with the finding in it."""
    if _has(incident, finding):
        return incident
    known = incident.host if finding.host in incident.hosts else ""
    others = incident.other_hosts if known else (*incident.other_hosts, finding.host)
    first = min(incident.signs.get(finding.host, finding.seen_at), finding.seen_at)
    if not incident.signs and known:  # a row of before
        first = min(first, incident.opened_at)
    grown = _replace(
        with_finding(incident, finding, limits.stops),
        other_hosts=others,
        signs={**incident.signs, finding.host: first},
        indicators=_indicated(incident.indicators, {finding.host: finding.indicators}, limits),
        opened_at=min(incident.opened_at, finding.seen_at),
        last_at=max(incident.last_at, finding.seen_at),
        severity=max(incident.severity, finding.severity, key=gravity),
    )
    return _with_line(grown, entry_of(finding), limits)


def united(kept: Incident, other: Incident, limits: Limits = LIMITS) -> Incident:
    """Both as one, under the id of the first."""
    signs = {h: other.first_sign(h) for h in other.hosts}
    for host in kept.hosts:
        signs[host] = min(kept.first_sign(host), signs.get(host, kept.first_sign(host)))
    grown = _replace(
        kept,
        opened_at=min(kept.opened_at, other.opened_at),
        last_at=max(kept.last_at, other.last_at),
        severity=max(kept.severity, other.severity, key=gravity),
        other_hosts=(*kept.other_hosts, *(h for h in other.hosts if h not in kept.hosts)),
        signs=signs,
        indicators=_indicated(kept.indicators, other.indicators, limits),
        rest=added(kept.rest, other.rest),
        entries_left_out=kept.entries_left_out + other.entries_left_out,
        crowded=kept.crowded + other.crowded,
        resumed=(*kept.resumed, *other.resumed),
        merged=(*kept.merged, other.id, *other.merged),
        apart=(*kept.apart, *other.apart),
    )
    own = tuple(_replace(s, host=s.host or kept.host) for s in kept.stops)
    theirs = tuple(_replace(s, host=s.host or other.host) for s in other.stops)
    grown = with_stops(grown, tuple(sorted((*own, *theirs), key=lambda s: s.at)), limits.stops)
    lines = [_replace(e, host=host_of(e, other)) for e in other.timeline]
    return with_lines(grown, lines, limits)


def _indicated(known: _Indicators, more: _Indicators, limits: Limits) -> _Indicators:
    told = {h: (*known.get(h, ()), *more.get(h, ())) for h in (*known, *more)}
    return {h: tuple(dict.fromkeys(i))[: limits.indicators] for h, i in told.items() if i}


def host_of(entry: Entry, incident: Incident) -> str:
    """Rows of before name none and are of the incident's host; what a person did is of no host."""
    return entry.host or ("" if entry.by else incident.host)


def with_lines(incident: Incident, entries: Sequence[Entry], limits: Limits = LIMITS) -> Incident:
    """The incident with lines that came from elsewhere, or from a person."""
    for entry in entries:
        incident = _with_line(incident, entry, limits)
    return incident


def _has(incident: Incident, finding: Finding) -> bool:
    return any(entry.finding == finding.id for entry in incident.timeline)


def _opened(finding: Finding, structure: str) -> Incident:
    identity = hashlib.sha256(f"{structure}\0{finding.host}\0{finding.id}".encode()).hexdigest()
    return Incident(
        id=identity[:16],
        structure=structure,
        host=finding.host,
        opened_at=finding.seen_at,
        last_at=finding.seen_at,
        severity=finding.severity,
    )


def entry_of(finding: Finding) -> Entry:
    return Entry(
        at=finding.seen_at,
        kind=finding.kind,
        finding=finding.id,
        severity=finding.severity,
        family=finding.family,
        action=finding.action,
        why=finding.why,
        why_en=finding.why_en,
        figures=finding.figures,
        host=finding.host,
    )


def _with_line(incident: Incident, entry: Entry, limits: Limits) -> Incident:
    # Two reports of one host may cross; the reader wants the order in which things happened.
    lines = sorted((*incident.timeline, entry), key=lambda e: e.at)
    over = max(0, len(lines) - limits.entries)
    left_out = incident.entries_left_out + over
    return _replace(incident, timeline=tuple(lines[over:]), entries_left_out=left_out)
