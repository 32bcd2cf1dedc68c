"""What the help pages show: how far a call is, what waits, who is on call this week."""

import datetime as dt
import math
from zoneinfo import ZoneInfo

import msgspec

from releve.apps.console.views import structure_name
from releve.assist.rota import Watch, covered_share, holes, plan
from releve.flow.server.assist.escalating import zone_on_call
from releve.flow.server.assist.telling import whom_to_call
from releve.flow.server.ports import Store, Unit
from releve.model.help import HelpRequest, Hole, Step
from releve.model.mail import KeptMail
from releve.model.structure import Contact
from releve.model.ticket import Ticket
from releve.report.assistance import PROMISE_S, answers
from releve.report.figures import Measured

WEEK_DAYS = 7
_RECENT = 200
_SHOWN = 10


class CallView(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `seconds`: until somebody came, or until now."""

    request: HelpRequest
    caller: str  # the machine by its name, a person by their login, or an address
    steps: tuple[Step, ...]
    seconds: float
    is_late: bool
    is_unmanned: bool  # nobody was on call: nobody was rung
    ringing: str  # the name of who is rung now
    phones: tuple[Contact, ...]  # whom to call oneself
    mails: tuple[KeptMail, ...]
    ticket: Ticket | None


class Week(msgspec.Struct, frozen=True, kw_only=True):
    zone: ZoneInfo
    watches: tuple[Watch, ...]
    holes: tuple[Hole, ...]
    covered: float  # share


class DeskView(msgspec.Struct, frozen=True, kw_only=True):
    structure_name: str
    open_calls: tuple[CallView, ...]
    closed: tuple[HelpRequest, ...]
    week: Week | None  # None: nobody was ever put on call
    times: Measured
    in_time: int
    never_p95: bool  # so many never came that the 95th of 100 did not


def _turn(call: CallView) -> tuple[bool, bool, float]:
    """Nobody came yet before who is being seen to, care at a standstill first, then the longest wait."""
    return bool(call.request.course.person), not call.request.is_blocked, -call.seconds


def desk_view(store: Store, structure: str, now: dt.datetime) -> DeskView:
    name = structure_name(store, structure)
    with store.unit(structure, writes=False) as unit:
        recent = unit.help_requests(most=_RECENT)
        waiting = [call_view(unit, r, now) for r in recent if r.course.phase != "closed"]
        week = week_of(unit, now)
    measured = answers(recent)
    p95 = measured.times.p95
    return DeskView(
        structure_name=name,
        open_calls=tuple(sorted(waiting, key=_turn)),
        closed=tuple(r for r in recent if r.course.phase == "closed")[:_SHOWN],
        week=week,
        times=measured.times,
        in_time=measured.in_time,
        never_p95=p95 is not None and math.isinf(p95),
    )


def call_view(unit: Unit, request: HelpRequest, now: dt.datetime) -> CallView:
    steps = tuple(unit.help_steps(request.id))
    took = request.answer_s
    passed = (now - request.course.opened_at).total_seconds()
    seconds = max(1, int(passed)) if took is None else took
    rings = [step for step in steps if step.kind == "ring"]
    is_ringing = request.course.phase == "ringing"
    return CallView(
        request=request,
        caller=_caller(unit, request.asked_by),
        steps=steps,
        seconds=seconds,
        is_late=seconds > PROMISE_S,
        is_unmanned=request.course.phase == "ended" and not rings,
        ringing=rings[-1].name if rings and is_ringing else "",
        phones=whom_to_call(unit),
        mails=tuple(unit.mails_of(request.id)),
        ticket=unit.ticket(request.id),
    )


def _caller(unit: Unit, by: str) -> str:
    kind, _, identity = by.partition("/")
    found = unit.host(identity) if kind == "host" and identity else None
    return found.host.name if found else by


def week_of(unit: Unit, now: dt.datetime) -> Week | None:
    rota = unit.rota()
    if rota is None:
        return None
    zone = zone_on_call(unit, rota)
    watches = plan(rota, now, WEEK_DAYS, zone)
    found = holes(watches)
    return Week(zone=zone, watches=watches, holes=found, covered=covered_share(found, WEEK_DAYS))
