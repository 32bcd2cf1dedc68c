"""What findings say of stopped families and their rollbacks, in the incident they belong to."""

import datetime as dt

import msgspec

from releve.model.finding import Finding
from releve.model.incident import Incident, Rest, Stop

HOLDS = frozenset(
    {"killed", "client_blocked", "thawed", "ended", "over"}
)  # nobody has to do anything more
UNSTOPPED = "none"  # its author is unknown or gone, and may come back: only undone
NOBODY_STOPPED = frozenset({"over", UNSTOPPED})
_WAITS = frozenset({"frozen", UNSTOPPED})
# Told by a guard or an agent of its own work: nobody wrote anything by it.
_OWN_WORK = frozenset(
    {
        "internal_error",
        "backup_failed",
        "backup_harmed",
        "drill_failed",
        "order_done",
        "order_failed",
        "enforcing",
    }
)
_replace = msgspec.structs.replace


def first_hostile_write(incident: Incident) -> dt.datetime:
    """The earliest one that is known; a sign of an attack whose writer nobody saw counts as one.

    When lines were left out it is the incident's first sign: too early costs a newer state, too
    late would bring a bad one back.
    """
    writes = [s.at - dt.timedelta(milliseconds=max(0.0, s.stop_ms)) for s in incident.stops]
    signs = [e.at for e in incident.timeline if e.finding and e.kind not in _OWN_WORK]
    if incident.entries_left_out or not (writes or signs):
        signs.append(incident.opened_at)
    return min((*writes, *signs))


def with_finding(incident: Incident, finding: Finding, most: int) -> Incident:
    """`most` stops are listed one by one."""
    if finding.kind == "stopped":
        return _with_stop(incident, finding, most)
    if finding.kind == "rolled_back":
        return _with_rollback(incident, finding)
    if finding.kind == "family_ended":
        return _ended(incident, finding)
    return incident


def _ended(incident: Incident, finding: Finding) -> Incident:
    """Nobody is left of the family: it ended while it was frozen, or was over when it was judged."""
    stops = tuple(
        _replace(stop, action="ended" if stop.action == "frozen" else "over")
        if _is_of(stop, incident, finding.host, finding.family) and stop.action in _WAITS
        else stop
        for stop in incident.stops
    )
    return _replace(incident, stops=stops)


def _is_of(stop: Stop, incident: Incident, host: str, family: str) -> bool:
    return stop.family == family and (stop.host or incident.host) == host


def decided(incident: Incident, host: str, family: str, action: str) -> Incident:
    """The incident after a person's word on a family that waited for it was carried out."""
    stops = tuple(
        _replace(stop, action=action)
        if _is_of(stop, incident, host, family) and stop.action in _WAITS
        else stop
        for stop in incident.stops
    )
    return _replace(incident, stops=stops)


def _with_stop(incident: Incident, finding: Finding, most: int) -> Incident:
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
        host=finding.host,
    )
    return with_stops(incident, (*incident.stops, stop), most)


def with_stops(incident: Incident, stops: tuple[Stop, ...], most: int) -> Incident:
    """Those over the bound leave the list, never the sums."""
    rest = incident.rest
    while len(stops) > most:
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
        slowest_stop_ms=max(
            rest.slowest_stop_ms, 0.0 if stop.action in NOBODY_STOPPED else stop.stop_ms
        ),
        not_held=rest.not_held + (stop.action not in HOLDS),
        unstopped=rest.unstopped + (stop.action == UNSTOPPED),
        over=rest.over + (stop.action == "over"),
    )


def added(one: Rest, other: Rest) -> Rest:
    sums = {n: getattr(one, n) + getattr(other, n) for n in Rest.__struct_fields__}
    return Rest(**{**sums, "slowest_stop_ms": max(one.slowest_stop_ms, other.slowest_stop_ms)})


def _with_rollback(incident: Incident, finding: Finding) -> Incident:
    """The family's stop that waits for its rollback, else its newest one, is undone.

    Without a listed stop (the guard finished after a restart what it began before) it still counts.
    """
    stops, f = incident.stops, finding.figures
    asked = (finding.host, finding.family)
    own = [n for n, s in enumerate(stops) if (s.host or incident.host, s.family) == asked]
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
        left=max(
            old.left or 0, int(f.get("left", 0))
        ),  # each roll-back of a family tells all of it
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
