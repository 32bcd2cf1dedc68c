"""A month of one structure, measured from what the server holds of it."""

import datetime as dt
import math
from collections.abc import Iterable, Sequence

import msgspec

from releve.assist.rota import holes, plan
from releve.flow.server.assist.escalating import zone_on_call
from releve.flow.server.incidents import weighed
from releve.flow.server.ports import Unit
from releve.model import event as ev
from releve.model.finding import Severity
from releve.model.host import Host
from releve.model.incident import Incident
from releve.model.obligation import Obligation, State
from releve.model.standing import Standing
from releve.model.statement import (
    CareFigure,
    DrillFigures,
    DutyFigures,
    HelpFigures,
    HostFigures,
    IncidentFigures,
    Month,
    OnCallFigures,
    ProtectedFigures,
    Spread,
    Statement,
    Usage,
    VaultFigures,
    VaultHostFigures,
)
from releve.obligation.clocks import was_in_time
from releve.report.assistance import PROMISE_S, answers
from releve.report.figures import Measured, spread
from releve.triage.care import clocks
from releve.triage.outlook import is_silent, totals_of

_MOST_ROTAS = 100_000
_LONGEST_DAYS = 32  # 31 and the hour that a change of the clocks may add
_GUARDED = ("watching", "enforcing")
_NS = 10**9
_told = msgspec.json.Decoder(ev.BackupRan | ev.DrillRan).decode
_TOLD_OF = (b'"backup_ran"', b'"drill_ran"')


def measure(unit: Unit, name: str, month: Month, now: dt.datetime) -> Statement:
    """Everything that can be said of the month now."""
    incidents = [one for one in unit.incidents_of(month) if not one.merged_into]
    incidents = weighed(unit, incidents, now)
    told = _told_in(unit, month)
    care = _care(unit, incidents, now)
    return Statement(
        structure=unit.structure,
        name=name,
        month=month,
        made_at=now,
        told_since=unit.told_since(),
        help_=_help(unit, month),
        care=care,
        care_times=_spread(spread(*_resumed(care))),
        incidents=_incidents(incidents),
        hosts=_hosts(unit.hosts(), told),
        drills=_drills([e for _, e in told if isinstance(e, ev.DrillRan) and not e.is_expected]),
        vaults=_vaults(unit),
        duties=_duties(unit.obligations(), month, now),
        on_call=_on_call(unit, month, now),
        protected=_protected(unit.hosts(), now),
    )


def usage(unit: Unit, name: str, month: Month, now: dt.datetime) -> Usage:
    """The same for an invoice."""
    hosts, standings = unit.hosts(), _standings(unit)
    told = [host for _, one in standings for host in one.hosts]
    protected = _protected(hosts, now)
    return Usage(
        structure=unit.structure,
        name=name,
        month=month.name,
        hosts=len(hosts),
        hosts_protected=protected.protected if protected else 0,
        people=len(unit.people()),
        help_requests=len(unit.help_of(month)),
        incidents=sum(not one.merged_into for one in unit.incidents_of(month)),
        held_bytes=sum(h.bytes for h in told) if standings else None,
        received_bytes_per_day=sum(h.bytes_per_day for h in told) if standings else None,
    )


def _help(unit: Unit, month: Month) -> HelpFigures:
    asked = unit.help_of(month)
    found = answers(asked)
    return HelpFigures(
        asked=len(asked),
        times=_spread(found.times),
        in_time=found.in_time,
        promise_s=PROMISE_S,
        waiting=found.waiting,
    )


def _care(unit: Unit, incidents: Sequence[Incident], now: dt.datetime) -> tuple[CareFigure, ...]:
    profile = unit.profile()
    names = {host.id: host.name for host in unit.hosts()}
    services = profile.services if profile else ()
    return tuple(
        CareFigure(
            incident=incident.id,
            service=clock.service.name,
            since=clock.since,
            resumed_at=clock.resumed.at if clock.resumed else None,
            seconds=clock.seconds if clock.resumed else None,
        )
        for incident in incidents
        for clock in clocks(incident, services, names, now)
    )


def _resumed(care: Sequence[CareFigure]) -> tuple[list[float], tuple[str, ...]]:
    """Of those that resumed: the others are listed, and may yet."""
    return [one.seconds for one in care if one.seconds is not None], ()


def _incidents(incidents: Sequence[Incident]) -> IncidentFigures:
    sums = totals_of(incidents)
    grave = [one.severity for one in incidents]
    return IncidentFigures(
        count=len(incidents),
        open_=sum(one.closed_at is None for one in incidents),
        by_severity={s.value: grave.count(s) for s in Severity if s in grave},
        restored=sums.restored,
        lost=sums.lost,
        pending=sums.pending,
    )


def _told_in(unit: Unit, month: Month) -> list[tuple[str, ev.BackupRan | ev.DrillRan]]:
    """By the host's own clock; what came late is in its month all the same, what came twice once."""
    found, drills = [], set()
    for host, body in unit.told_after(month.since):
        if any(kind in body for kind in _TOLD_OF):
            try:
                event = _told(body)
            except msgspec.ValidationError:
                continue  # of another kind, with the word in its text
            drill = (host, event.drill) if isinstance(event, ev.DrillRan) and event.drill else None
            if month.has(event.seen_at) and drill not in drills:
                found.append((host, event))
                drills |= {drill} if drill else set()
    return found


def _hosts(
    hosts: Sequence[Host], told: Sequence[tuple[str, ev.BackupRan | ev.DrillRan]]
) -> tuple[HostFigures, ...]:
    found = []
    for host in hosts:
        own = [event for of, event in told if of == host.id]
        backups = [e for e in own if isinstance(e, ev.BackupRan)]
        drills = [e for e in own if isinstance(e, ev.DrillRan) and not e.is_expected]
        found.append(
            HostFigures(
                host=host.name,
                backups=len(backups),
                backups_good=sum(e.ok for e in backups),
                drills=len(drills),
                drills_good=sum(e.ok for e in drills),
            )
        )
    return tuple(found)


def _drills(drills: Sequence[ev.DrillRan]) -> DrillFigures:
    good = [e for e in drills if e.ok]

    def times(taken: Iterable[float | None]) -> Spread:
        return _spread(spread([t for t in taken if t is not None], ()))

    return DrillFigures(
        count=len(drills),
        good=len(good),
        first_file=times(e.first_file_s for e in good),
        patient_list=times(e.patient_list_s for e in good),
        databases=times(e.databases_s for e in good),
        all_local=times(e.all_local_s for e in good),
        rpo=times(e.rpo_s for e in good),
    )


def _vaults(unit: Unit) -> tuple[VaultFigures, ...]:
    return tuple(
        VaultFigures(
            vault=name,
            told_at=_at(standing.wall_ns),
            hosts=tuple(
                VaultHostFigures(
                    host=host.host,
                    last_snapshot_at=_at(host.last_snapshot_ns) if host.last_snapshot_ns else None,
                    bytes=host.bytes,
                    verified_30d_bytes=host.verified_30d_bytes,
                    bad_objects=host.bad_objects,
                )
                for host in standing.hosts
            ),
        )
        for name, standing in _standings(unit)
    )


def _standings(unit: Unit) -> list[tuple[str, Standing]]:
    """The newest of each vault that is still enrolled, and told one."""
    found = []
    for vault in unit.vaults():
        record = unit.vault(vault.id)
        if vault.removed_at is None and record is not None and record.standing:
            standing = msgspec.json.decode(record.standing, type=Standing)
            found.append((vault.name, standing))
    return found


def _duties(known: Sequence[Obligation], month: Month, now: dt.datetime) -> DutyFigures:
    mine = [o for o in known if month.has(o.due_at or o.started_at)]
    owed = [o for o in mine if o.state is not State.NOT_DUE]
    dated = [o for o in owed if o.due_at is not None]
    in_time = sum(was_in_time(o) is True for o in dated)
    waiting = sum(o.sent_at is None and o.due_at is not None and o.due_at >= now for o in dated)
    free = [o for o in owed if o.due_at is None]
    sent = sum(o.sent_at is not None for o in free)
    return DutyFigures(
        in_time=in_time,
        late=len(dated) - in_time - waiting,
        waiting=waiting,
        sent_without_delay=sent,
        owed_without_delay=len(free) - sent,
        not_due=len(mine) - len(owed),
    )


def _on_call(unit: Unit, month: Month, now: dt.datetime) -> OnCallFigures | None:
    """None: there was no rota in the month, as far as it has come."""
    rota = unit.rota()
    set_at = [entry.at for entry in unit.trail_of(("set_rota",), most=_MOST_ROTAS)]
    since, until = max(month.since, min(set_at, default=month.since)), min(month.until, now)
    if rota is None or since >= until:
        return None
    watches = plan(rota, since, _LONGEST_DAYS, zone_on_call(unit, rota))
    gone = sum(max(0.0, (min(h.until, until) - h.since).total_seconds()) for h in holes(watches))
    whole = (until - since).total_seconds()
    return OnCallFigures(
        hours=whole / 3600, covered_hours=(whole - gone) / 3600, since=since, until=until
    )


def _protected(hosts: Sequence[Host], now: dt.datetime) -> ProtectedFigures | None:
    if not hosts:
        return None
    guarded = [h for h in hosts if h.state.guard in _GUARDED and not is_silent(h, now)]
    return ProtectedFigures(hosts=len(hosts), protected=len(guarded))


def _spread(found: Measured) -> Spread:
    return Spread(
        n=found.n,
        mean=_finite(found.mean),
        p95=_finite(found.p95),
        worst=_finite(found.worst),
        never=found.never,
    )


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else seconds


def _at(ns: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(ns / _NS, dt.UTC)
