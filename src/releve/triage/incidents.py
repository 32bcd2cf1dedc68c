"""Findings -> incidents, as a fold: yesterday's attack replays as tomorrow's test."""

import datetime as dt
import hashlib
from collections.abc import Sequence

import msgspec

from releve.model.finding import Finding, Severity
from releve.model.incident import Entry, Incident, Rest, Stop


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How findings are put together."""

    # A stopped attacker tries again within minutes; half an hour apart reads as another story.
    quiet: dt.timedelta = dt.timedelta(minutes=30)
    entries: int = 500  # of one timeline; a storm of alerts must not grow a value without bound
    stops: int = 200


_GRAVITY = (Severity.INFO, Severity.NOTICE, Severity.SERIOUS, Severity.CRITICAL)
# Told on the page, but never an incident of their own, nor a line in one.
_APART = frozenset({"would_stop", "approved", "approval_used", "enforcing"})
LIMITS = Limits()
HOLDS = frozenset({"killed", "client_blocked", "thawed", "ended"})  # nobody has to do anything more
_replace = msgspec.structs.replace


def step(
    open_: Sequence[Incident], finding: Finding, *, structure: str, limits: Limits = LIMITS
) -> Incident | None:
    """The incident that the finding opens or lengthens; None when it stands alone.

    `open_` holds the structure's open incidents in any order. The caller keeps what comes back in
    place of the incident of the same id. A finding that was folded before changes nothing.
    """
    if finding.kind in _APART:
        return None
    for incident in sorted(open_, key=lambda i: i.last_at, reverse=True):
        if incident.host == finding.host and _belongs(incident, finding, limits):
            return fold(incident, finding, limits)
    if gravity(finding.severity) < gravity(Severity.SERIOUS):
        return None
    return fold(_opened(finding, structure), finding, limits)


def gravity(severity: Severity) -> int:
    return _GRAVITY.index(severity)


def fold(incident: Incident, finding: Finding, limits: Limits = LIMITS) -> Incident:
    """The incident with the finding in it."""
    if any(entry.finding == finding.id for entry in incident.timeline):
        return incident
    full = len(incident.timeline) >= limits.entries
    timeline = incident.timeline if full else _placed(incident.timeline, _entry(finding))
    return _replace(
        _with_finding(incident, finding, limits),
        opened_at=min(incident.opened_at, finding.seen_at),
        last_at=max(incident.last_at, finding.seen_at),
        severity=max(incident.severity, finding.severity, key=gravity),
        timeline=timeline,
        entries_left_out=incident.entries_left_out + full,
    )


def decided(incident: Incident, family: str, action: str) -> Incident:
    """The incident after a person's word on a family that waited for it was carried out."""
    stops = tuple(
        _replace(stop, action=action)
        if stop.family == family and stop.action in ("frozen", "none")
        else stop
        for stop in incident.stops
    )
    return _replace(incident, stops=stops)


def _belongs(incident: Incident, finding: Finding, limits: Limits) -> bool:
    if incident.closed_at is not None:
        return False
    if finding.family and any(stop.family == finding.family for stop in incident.stops):
        return True  # a rollback may end hours after its stop
    early, late = incident.opened_at - limits.quiet, incident.last_at + limits.quiet
    return early <= finding.seen_at <= late


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


def _entry(finding: Finding) -> Entry:
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
    )


def _placed(timeline: tuple[Entry, ...], entry: Entry) -> tuple[Entry, ...]:
    # Two reports of one host may cross; the reader wants the order in which things happened.
    return tuple(sorted((*timeline, entry), key=lambda e: e.at))


def _with_finding(incident: Incident, finding: Finding, limits: Limits) -> Incident:
    if finding.kind == "stopped":
        return _with_stop(incident, finding, limits)
    if finding.kind == "rolled_back":
        return _with_rollback(incident, finding)
    if finding.kind == "family_ended":
        return decided(incident, finding.family, "ended")
    return incident


def _with_stop(incident: Incident, finding: Finding, limits: Limits) -> Incident:
    stop = Stop(
        family=finding.family,
        at=finding.seen_at,
        action=finding.action,
        stop_ms=finding.figures.get("stop_ms", 0.0),
        files_touched=int(finding.figures.get("files_touched", 0)),
        reasons=finding.reasons,
        program=finding.program,
        user=finding.user,
        client=finding.client,
    )
    stops, rest = (*incident.stops, stop), incident.rest
    if len(stops) > limits.stops:
        rest, stops = _summed(rest, stops[0]), stops[1:]
    return _replace(incident, stops=stops, rest=rest)


def _summed(rest: Rest, stop: Stop) -> Rest:
    return Rest(
        stops=rest.stops + 1,
        touched=rest.touched + stop.files_touched,
        restored=rest.restored + (stop.restored or 0),
        lost=rest.lost + (stop.lost or 0),
        newest_save_lost=rest.newest_save_lost + (stop.newest_save_lost or 0),
        quarantined=rest.quarantined + (stop.quarantined or 0),
        rollback_ms=rest.rollback_ms + (stop.rollback_ms or 0.0),
        slowest_stop_ms=max(rest.slowest_stop_ms, stop.stop_ms),
        not_held=rest.not_held + (stop.action not in HOLDS),
    )


def _with_rollback(incident: Incident, finding: Finding) -> Incident:
    """The family's stop that waits for its rollback, else its newest one, is undone.

    Without a listed stop (the guard finished after a restart what it began before) it still counts.
    """
    stops, f = incident.stops, finding.figures
    own = [n for n, stop in enumerate(stops) if stop.family == finding.family]
    if not own:
        return _replace(incident, rest=_rolled(incident.rest, f))
    waiting = [n for n in own if stops[n].restored is None]
    place = waiting[0] if waiting else own[-1]
    old = stops[place]
    done = _replace(
        old,
        restored=(old.restored or 0) + int(f.get("restored", 0)),
        lost=(old.lost or 0) + int(f.get("lost", 0)),
        newest_save_lost=(old.newest_save_lost or 0) + int(f.get("newest_save_lost", 0)),
        quarantined=(old.quarantined or 0) + int(f.get("quarantined", 0)),
        kept_both=(old.kept_both or 0) + int(f.get("kept_both", 0)),
        rollback_ms=(old.rollback_ms or 0.0) + f.get("rollback_ms", 0.0),
        lost_paths=(*old.lost_paths, *finding.lost_paths),
        newest_save_lost_paths=(*old.newest_save_lost_paths, *finding.newest_save_lost_paths),
    )
    return _replace(incident, stops=(*stops[:place], done, *stops[place + 1 :]))


def _rolled(rest: Rest, figures: dict[str, float]) -> Rest:
    return _replace(
        rest,
        restored=rest.restored + int(figures.get("restored", 0)),
        lost=rest.lost + int(figures.get("lost", 0)),
        newest_save_lost=rest.newest_save_lost + int(figures.get("newest_save_lost", 0)),
        quarantined=rest.quarantined + int(figures.get("quarantined", 0)),
        rollback_ms=rest.rollback_ms + figures.get("rollback_ms", 0.0),
    )
