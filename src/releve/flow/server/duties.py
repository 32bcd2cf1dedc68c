"""A structure's legal clocks and cases as they are read: for pages, dossiers and the register."""

import datetime as dt

from releve.flow.server.ports import Unit
from releve.flow.server.profiles import zone_of
from releve.model.errors import ReleveError
from releve.model.incident import Incident
from releve.model.law import Duty, Law
from releve.obligation import clocks, register
from releve.obligation.case import Case, Harm
from releve.triage.outlook import totals
from releve.triage.stops import HOLDS

LATELY = dt.timedelta(days=30)


class NotDeclaredError(ReleveError):
    """No such incident, or nobody declared it an attack."""

    status = 43
    remedy = "Declare it in the console or with `releve obligation start`; no clock runs before."

    def __init__(self, incident: str) -> None:
        super().__init__(f"No legal clock runs for the incident {incident}.")


def looks(unit: Unit, law: Law, now: dt.datetime, incident: str = "") -> tuple[clocks.Look, ...]:
    """Every clock of the structure, or of one incident, worst first."""
    found = (
        clocks.look(clock, duty, now)
        for clock in unit.obligations(incident)
        if (duty := law.find(clock.duty, clock.law_from)) is not None
    )
    return clocks.worst_first(found)


def undeclared(unit: Unit, now: dt.datetime) -> list[Incident]:
    """Of which nobody said whether they start a clock: open ones, and those closed not long ago.

    The oldest first, as their delays run.
    """
    said = set(unit.declared())
    found = [
        one
        for one in unit.incidents()
        if one.id not in said
        and not one.merged_into
        and (one.closed_at is None or now - one.closed_at < LATELY)
    ]
    return sorted(found, key=lambda one: one.opened_at)


def voluntary(unit: Unit, law: Law, now: dt.datetime) -> tuple[Duty, ...]:
    """What the structure may do though nothing binds it."""
    profile = unit.profile()
    return tuple(d for d in law.in_force(now.date()) if clocks.is_voluntary(d, profile))


def case_of(unit: Unit, law: Law, incident: str, now: dt.datetime) -> Case:
    """Raises: NotDeclaredError."""
    found, told = unit.incident(incident), unit.declaration(incident)
    if found is None or told is None:
        raise NotDeclaredError(incident)
    names = {host.id: host.name for host in unit.hosts()}
    names |= {vault.id: vault.name for vault in unit.vaults()}  # an incident is of either
    return Case(
        law=law,
        incident=found,
        hosts=tuple(names.get(host, host) for host in found.hosts),
        harm=_harm(found),
        profile=unit.profile(),
        told=told,
        clocks=tuple(unit.obligations(incident)),
        zone=zone_of(unit),
        now=now,
    )


def breach_register(unit: Unit, law: Law, now: dt.datetime) -> tuple[register.Entry, ...]:
    """Oldest first."""
    entries = [register.entry(case_of(unit, law, one, now)) for one in unit.declared()]
    return tuple(sorted(entries, key=lambda entry: entry.aware_at))


def _harm(incident: Incident) -> Harm:
    sums = totals(incident)
    return Harm(
        stops=sums.stops - sums.unstopped,
        unstopped=sums.unstopped,
        touched=max(sums.touched, sums.restored + sums.lost),  # a rollback finds more than a stop
        restored=sums.restored,
        lost=sums.lost,
        is_settled=not sums.pending,
        is_held=all(stop.action in HOLDS for stop in incident.stops) and not incident.rest.not_held,
    )
