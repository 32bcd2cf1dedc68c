"""An incident as a terminal shows it: the page's own French words, by the structure's clock."""

import datetime as dt
from typing import Any

from markupsafe import Markup

from releve.apps.console.help_views import CallView
from releve.apps.console.incident_views import CaseView, StepView, lapsed_how
from releve.apps.console.words import Words
from releve.apps.web.assets import templates
from releve.flow.server.recoveries import IncidentRecovery
from releve.model.incident import Entry, Incident
from releve.obligation.clocks import Look

_T = Words("fr")


def row(one: Incident, zone: dt.tzinfo) -> str:
    """One line of `releve incident list`."""
    severity = _T(f"severity.{one.severity}")
    return f"{one.id}  {_local(one.opened_at, zone)}  {severity}  {_state(one)}"


def lines(view: CaseView, zone: dt.tzinfo) -> list[str]:
    """All of `releve incident show`."""
    one = view.incident
    severity = _T(f"severity.{view.severity}")
    found = [f"{one.id}  {severity}  {', '.join(view.host_names)}"]
    found += [f"  - {reason.said.fr}" for reason in view.reasons]
    found += [
        f"  {c.service.name} : {_T.exactly(c.seconds)}"
        + (f", repris, dit par {c.resumed.by}" if c.resumed else ", en cours")
        for c in view.care
    ]
    found += [_alarm(view.alarm)] if view.alarm and not one.closed_at else []
    if view.proposed is not None:
        start = f"releve playbook start {one.id} {view.proposed.id}"
        found.append(f"{_T('case.start_proposed', name=view.proposed.title.fr)} ({start})")
    found += [_lapsed(s, view, zone) for run in view.runs for s in run.lapsed]
    found += [_recovery(recovery, view) for recovery in view.recoveries]
    parts = templates("releve.apps.console").get_template("_parts.html").module
    found += [f"{_local(e.at, zone)}  {_said(parts, e)}" for e in reversed(view.entries)]
    found += [f"[{'x' if task.done_at else ' '}] {task.id}  {task.title}" for task in view.tasks]
    return [*found, *(f"{p.id}  {p.sha256[:16]}  {p.name}" for p in view.evidence)]


def still_open(view: CaseView, zone: dt.tzinfo) -> dict[str, object]:
    """What closing does not end: roll-backs, steps, proposals, calls for help, care, legal clocks."""
    return {
        "pending_rollbacks": view.sums.pending,
        "open_steps": view.open_steps,
        "undecided": view.undecided,
        "open_help": [call.id for call in view.asked_calls],
        "care_stopped": list(view.care_stopped),
        "open_clocks": [_clock(look, zone) for look in view.duties],
    }


def _alarm(call: CallView) -> str:
    """Who is rung for it, or has it."""
    course = call.request.course
    state = "help.unmanned" if call.is_unmanned else f"help.phase_{course.phase}"
    rung = f", {_T('help.now_rung', name=call.ringing)}" if call.ringing else ""
    return f"{_T('help.alarm')} : {_T(state, name=course.name)}{rung} ({call.request.id[:8]})"


def _clock(look: Look, zone: dt.tzinfo) -> str:
    due = look.obligation.due_at
    when = due.astimezone(zone).isoformat(timespec="minutes") if due else _T("obligation.no_figure")
    return f"{look.duty.id}, {look.duty.name.fr} ({when})"


def _lapsed(step: StepView, view: CaseView, zone: dt.tzinfo) -> str:
    """A proposal that no host will do, as the page tells it."""
    asked = [
        f"{view.names.get(a.host, a.host)} : {_T(f'lapsed.{lapsed_how(a)}', who=a.decided_by)} "
        f"{_local(a.ended_at or a.expires_at, zone)}"
        + (f" « {a.refused_why} »" if a.refused_why else "")
        for a in step.lapsed
    ]
    said = f"{_T('lapsed.title')} {step.step.say.fr} ({' ; '.join(asked)})"
    return f"! {said} {_T('lapsed.now')}"


def _said(parts: Any, entry: Entry) -> str:
    """The page's own sentence, without the marks of a page."""
    made: Markup = parts.said(_T, entry)
    return made.striptags()


def _state(one: Incident) -> str:
    if one.merged_into:
        return f"{_T('case.part_of')} {one.merged_into}"
    return _T("incident.closed_by", who=one.closed_by) if one.closed_at else _T("incident.open")


def _local(at: dt.datetime, zone: dt.tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def _recovery(recovery: IncidentRecovery, view: CaseView) -> str:
    told = recovery.told
    steps = [
        f"{_T(f'recovering.step_{name}')} {_T('recovering.after', time=_T.exactly(seconds))}"
        for name, seconds in told.seconds.items()
    ]
    host, phase = view.names.get(recovery.host, recovery.host), _T(f"recovering.phase_{told.phase}")
    home = f"{told.files_home}/{told.files}"
    return f"Reprise {told.recovery} ({host}) : {phase}, {home}, {', '.join(steps)}"
