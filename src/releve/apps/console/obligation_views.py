"""What the pages of legal clocks and dossiers show, read from one structure's state."""

import datetime as dt

import msgspec

from releve.apps.console.views import names_of
from releve.flow.server import dossiers, duties
from releve.flow.server.ports import Unit
from releve.flow.server.receipts import number_of
from releve.model.dossier import Dossier, Field, Form
from releve.model.incident import Incident
from releve.model.law import Duty, Law
from releve.model.obligation import Declaration, State
from releve.obligation.clocks import Look, answers, missing, was_in_time
from releve.obligation.dossier import blanks


class ClockView(msgspec.Struct, frozen=True, kw_only=True):
    """`in_time`: of one that was sent and had a delay. `asked`: the question that says why not.

    `lacks`: the texts without which the register's entry does not stop it. `number`: of the receipt
    that is attached to its dossier.
    """

    look: Look
    host_name: str
    in_time: bool | None
    reason: str
    asked: str = ""
    answer: str = ""
    lacks: tuple[str, ...] = ()
    number: str = ""

    @property
    def is_open(self) -> bool:
        return self.look.obligation.state is State.RUNNING


class DossierView(msgspec.Struct, frozen=True, kw_only=True):
    """`dossier` is None until it is made."""

    form: Form
    dossier: Dossier | None
    blanks: tuple[Field, ...]


class Undeclared(msgspec.Struct, frozen=True, kw_only=True):
    """An incident of which nobody said yet whether it starts a clock."""

    incident: Incident
    host_name: str


class ClocksPage(msgspec.Struct, frozen=True, kw_only=True):
    undeclared: tuple[Undeclared, ...]
    open: tuple[ClockView, ...]
    settled: tuple[ClockView, ...]
    has_profile: bool


class CasePage(msgspec.Struct, frozen=True, kw_only=True):
    """`said`: what was answered, and what is presumed where nobody answered yet."""

    incident: Incident
    host_name: str
    told: Declaration | None
    said: dict[str, str]
    clocks: tuple[ClockView, ...]
    dossiers: tuple[DossierView, ...]
    voluntary: tuple[Duty, ...]
    providers: tuple[Duty, ...]
    has_profile: bool


def clocks_page(unit: Unit, law: Law, now: dt.datetime) -> ClocksPage:
    found = _clocks(unit, law, now)
    return ClocksPage(
        undeclared=_undeclared(unit, now),
        open=tuple(c for c in found if c.is_open),
        settled=tuple(c for c in found if not c.is_open),
        has_profile=unit.profile() is not None,
    )


def case_page(
    unit: Unit, law: Law, forms: tuple[Form, ...], incident: Incident, now: dt.datetime
) -> CasePage:
    told = unit.declaration(incident.id)
    return CasePage(
        incident=incident,
        host_name=_host_names(incident, names_of(unit)),
        told=told,
        said=answers(law, told) if told else {q.id: q.presumed for q in law.question},
        clocks=_clocks(unit, law, now, incident.id),
        dossiers=tuple(
            dossier_view(unit, form, incident.id) for form in dossiers.offered(unit, forms)
        ),
        voluntary=duties.voluntary(unit, law, now),
        providers=tuple(d for d in law.in_force(now.date()) if d.only == "provider"),
        has_profile=unit.profile() is not None,
    )


def dossier_view(unit: Unit, form: Form, incident: str) -> DossierView:
    made = unit.dossier(incident, form.id)
    return DossierView(form=form, dossier=made, blanks=blanks(form, made) if made else ())


def _undeclared(unit: Unit, now: dt.datetime) -> tuple[Undeclared, ...]:
    names = names_of(unit)
    return tuple(
        Undeclared(incident=one, host_name=_host_names(one, names))
        for one in duties.undeclared(unit, now)
    )


def _host_names(incident: Incident, names: dict[str, str]) -> str:
    return ", ".join(names.get(host, host) for host in incident.hosts)


def _clocks(unit: Unit, law: Law, now: dt.datetime, incident: str = "") -> tuple[ClockView, ...]:
    looks, names = duties.looks(unit, law, now, incident), names_of(unit)
    incidents = (unit.incident(one) for one in {look.obligation.incident for look in looks})
    hosts = {one.id: _host_names(one, names) for one in incidents if one is not None}
    questions = {question.id for question in law.question}
    views = []
    for look in looks:
        clock = look.obligation
        last = clock.decisions[-1] if clock.decisions else None
        reason = last.reason if last else ""
        asked, _, answer = reason.partition("=")
        is_answer = asked in questions
        told = unit.declaration(clock.incident) if look.duty.texts else None
        views.append(
            ClockView(
                look=look,
                host_name=hosts.get(clock.incident, ""),
                in_time=was_in_time(clock),
                reason="" if is_answer else reason,
                asked=asked if is_answer else "",
                answer=answer if is_answer else "",
                lacks=missing(look.duty, told) if told else (),
                number=number_of(unit, clock, look.duty)
                if look.colour not in ("done", "none")
                else "",
            )
        )
    return tuple(views)
