"""What an incident does to care: which services it touches, since when, and how grave that makes it."""

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from releve.model.finding import Severity
from releve.model.incident import Change, Entry, Incident, Resumed
from releve.model.sentence import Sentence
from releve.model.structure import CareService, DataSetEntry
from releve.triage.handling import HandlingError, Word
from releve.triage.incidents import gravity, with_lines
from releve.triage.outlook import Totals
from releve.triage.stops import HOLDS

_HOUR_S = 3600
# Why a stop was grave when it was told, whatever became of it since.
_OF_ACTIONS = {
    "none": Sentence(
        fr="Une attaque n’a pas pu être arrêtée : elle avait déjà fini. Ce qu’elle a fait est défait.",
        en="An attack could not be stopped: it was already over. What it did was undone.",
    ),
    "frozen": Sentence(
        fr="Un programme a été suspendu : une personne devait dire s’il pouvait continuer.",
        en="A program was suspended: somebody had to say whether it may go on.",
    ),
}
_OTHERWISE = Sentence(
    fr="Un constat plus ancien a été jugé grave.",
    en="An older finding was judged grave.",
)
_replace = msgspec.structs.replace


class CareClock(msgspec.Struct, frozen=True, kw_only=True):
    """One service of care in one incident, from the first sign to care resumed.

    `lost` is at most: consultations at the rate that the structure told, as if all had stopped and
    as if the doors were open day and night.
    """

    service: CareService
    hosts: tuple[str, ...]  # of the service, that the incident touches
    since: dt.datetime
    resumed: Resumed | None
    seconds: float
    lost: float


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why an incident is as grave as it is."""

    severity: Severity
    said: Sentence


def clocks(
    incident: Incident, services: Sequence[CareService], names: Mapping[str, str], now: dt.datetime
) -> tuple[CareClock, ...]:
    """Those that the incident touches, what comes back first before. `names`: of hosts, by id."""
    touched = {names.get(host, host).lower(): host for host in incident.hosts}
    found = []
    for service in sorted(services, key=lambda s: (s.rank, s.name)):
        hosts = tuple(touched[n] for name in service.hosts if (n := name.lower()) in touched)
        if hosts:
            found.append(_clock(incident, service, hosts, now))
    return tuple(found)


def data_sets(
    incident: Incident, data_map: Sequence[DataSetEntry], names: Mapping[str, str]
) -> tuple[DataSetEntry, ...]:
    """The lines of the data map with a host that the incident touches. `names`: of hosts, by id."""
    touched = {names.get(host, host).lower() for host in incident.hosts}
    return tuple(d for d in data_map if touched & {host.lower() for host in d.hosts})


def resume(
    incident: Incident, clock: CareClock, at: dt.datetime, word: Word, *, is_back: bool = True
) -> Change:
    """A person's word that care goes on since `at`, or (`is_back` False) that it does not after all.

    Raises: HandlingError: before the first sign, in the future, or nothing to take back.
    """
    if not word.by.strip():
        raise HandlingError("reason")
    if is_back and not clock.since <= at <= word.at:
        raise HandlingError("time")
    if not is_back and clock.resumed is None:
        raise HandlingError("not_resumed")
    others = tuple(r for r in incident.resumed if r.service != clock.service.id)
    new = (Resumed(service=clock.service.id, at=at, by=word.by),) if is_back else ()
    kind = "care_resumed" if is_back else "care_stopped"
    line = Entry(
        at=word.at,
        kind=kind,
        finding="",
        id=f"{word.id}-{kind}",
        severity=Severity.INFO,
        why=clock.service.name,
        why_en=clock.service.name,
        by=word.by,
        figures={"minutes": (at - clock.since).total_seconds() / 60} if is_back else {},
    )
    told = with_lines(_replace(incident, resumed=(*others, *new)), (line,))
    return Change(incidents=(told,), entries={told.id: (line,)})


def reasons(incident: Incident, care: Sequence[CareClock], sums: Totals) -> tuple[Reason, ...]:
    """Why it is as grave as it is, the gravest first; never empty."""
    found = [*_of_files(incident, sums), *_of_hosts(incident), *_of_care(care)]
    if gravity(incident.severity) > max((gravity(r.severity) for r in found), default=-1):
        found.append(_of_findings(incident))
    return tuple(sorted(found, key=lambda r: -gravity(r.severity)))


def severity(told: Sequence[Reason]) -> Severity:
    return max((reason.severity for reason in told), key=gravity)


def _clock(
    incident: Incident, service: CareService, hosts: tuple[str, ...], now: dt.datetime
) -> CareClock:
    since = min(incident.first_sign(host) for host in hosts)
    said = [r for r in incident.resumed if r.service == service.id]
    resumed = max(said, key=lambda r: r.at, default=None)
    until = resumed.at if resumed else incident.closed_at or now
    seconds = max(0.0, (until - since).total_seconds())
    lost = seconds / _HOUR_S * service.consultations_per_hour
    return CareClock(
        service=service, hosts=hosts, since=since, resumed=resumed, seconds=seconds, lost=lost
    )


def _of_files(incident: Incident, sums: Totals) -> list[Reason]:
    found = []
    free = sum(s.action not in HOLDS for s in incident.stops) + incident.rest.not_held
    free -= sums.unstopped
    if sums.lost:
        found.append(
            _reason(
                Severity.CRITICAL,
                f"Fichiers qui n’ont pas pu être rétablis : {sums.lost}.",
                f"Files that could not be brought back: {sums.lost}.",
            )
        )
    if free:
        found.append(
            _reason(
                Severity.CRITICAL,
                f"Des programmes hostiles ne sont pas arrêtés, ou attendent une décision : {free}.",
                f"Hostile programs that are not stopped, or wait for a decision: {free}.",
            )
        )
    if sums.unstopped:
        found.append(
            _reason(
                Severity.CRITICAL,
                "Attaques dont l’auteur est inconnu ou déjà parti : "
                f"{sums.unstopped}. Rien n’y a été arrêté ; il peut revenir.",
                f"Attacks whose author is unknown or gone: {sums.unstopped}. Nothing was stopped there; "
                "they may come back.",
            )
        )
    stopped = sums.halted - free
    if stopped > 0:
        found.append(
            _reason(
                Severity.SERIOUS,
                f"Programmes hostiles arrêtés : {stopped}.",
                f"Hostile programs stopped: {stopped}.",
            )
        )
    return found


def _of_hosts(incident: Incident) -> list[Reason]:
    count = len(incident.hosts)
    if count == 1:
        return []
    return [
        _reason(
            Severity.CRITICAL,
            f"L’attaque touche {count} machines.",
            f"The attack touches {count} hosts.",
        )
    ]


def _of_care(care: Sequence[CareClock]) -> list[Reason]:
    return [
        _reason(
            Severity.SERIOUS,
            f"Un soin en dépend, et personne n’a dit qu’il a repris : {clock.service.name}.",
            f"Care depends on it, and nobody said that it goes on: {clock.service.name}.",
        )
        for clock in care
        if clock.resumed is None
    ]


def _of_findings(incident: Incident) -> Reason:
    grave = [e for e in incident.timeline if e.severity is incident.severity]
    told = next((e for e in grave if e.why), None)
    if told is not None:
        return _reason(incident.severity, told.why, told.why_en or told.why)
    acts = [e.action for e in grave if e.kind == "stopped"]
    said = next((_OF_ACTIONS[act] for act in acts if act in _OF_ACTIONS), _OTHERWISE)
    return _reason(incident.severity, said.fr, said.en)


def _reason(severity_: Severity, fr: str, en: str) -> Reason:
    return Reason(severity=severity_, said=Sentence(fr=fr, en=en))
