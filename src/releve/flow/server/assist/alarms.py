"""An attack rings who is on call: by the rota, channels and proof of calls for help.

Its call is one that the server opens for an incident. It ends when a named person takes it, or the
incident: by the link, in the console, by command or by a tool.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from releve.assist import escalation
from releve.assist.escalation import Acknowledged
from releve.flow.server import casework, incidents
from releve.flow.server.assist import alarm_lines, answering
from releve.flow.server.assist.asking import context_of, ring_again
from releve.flow.server.incidents import Word
from releve.flow.server.ports import Unit
from releve.flow.server.signin import digest
from releve.model.help import AttackCall, HelpRequest, Step
from releve.model.incident import Incident
from releve.model.playbook import AfterTask
from releve.triage.incidents import gravity, is_grave

SOURCE = "attack"
# A host that lies would have everybody rung for each of its incidents: more join a call of its own
# that rings. Those of one do not crowd out another's, until there are far too many of all.
_MOST_OF_A_HOST, _MOST_RINGING = 5, 20
# Who took it longer ago has gone home: what is grave now is news to whoever is on call.
_SHIFT = dt.timedelta(hours=12)


def sound(unit: Unit, found: Incident, now: dt.datetime) -> None:
    """Have the rota rung for an incident that opened, got worse or was opened again. After `Unit.hold`.

    Once for an incident: not while it rings, nor when somebody took it within a shift; one that nobody
    came to rings again when it is graver than it was. What a machine has joined to one that somebody has
    rings on: nobody looked at it yet.
    """
    if not _is_wanted(unit, found):
        return
    taken = [(call, call.course.acknowledged_at) for call in alarm_lines.calls_for(unit, found)]
    if any(at is not None and now - at < _SHIFT for _, at in taken):
        return
    calls = [call for call, at in taken if at is None]
    if not calls:
        _begin(unit, found, now)
    elif gravity(found.severity) > max(_rung_at(call, found) for call in calls):
        graver = alarm_lines.with_severity(calls[0], found)
        unit.put_help(graver, escalation.wake_at(graver.course))
        _ring_more(unit, graver, found, found.severity.value, now)


def sound_all(unit: Unit, found: Iterable[Incident], now: dt.datetime) -> None:
    """`sound` for those that are open. After `Unit.hold`."""
    for incident in found:
        if incident.closed_at is None:
            sound(unit, incident, now)


def settle(unit: Unit, found: Incident, now: dt.datetime) -> None:
    """If somebody has it: what a person said is part of it rings no more. After `Unit.hold`."""
    calls = alarm_lines.calls_for(unit, found)
    has = next((r.course for r in calls if r.course.acknowledged_at is not None), None)
    if has is None:
        return
    for call in calls:
        if call.course.acknowledged_at is None:
            answering.acknowledge(unit, call.id, Acknowledged(now, has.person, has.name))


def take(unit: Unit, incident: str, word: Word) -> Incident | None:
    """A named person takes the incident: nobody else is rung for it. None: there is no such incident."""
    unit.hold()
    found = unit.incident(incident)
    if found is None:
        return None
    if not _answer(unit, found, Acknowledged(word.at, word.by, word.by)):
        line = casework.line_of("taken", word.id, word.at, word.by, "")
        casework.tell(unit, incident, line, "acknowledged", word.id)
    return unit.incident(incident)


def told_by_tool(unit: Unit, incident: str, name: str, login: str, now: dt.datetime) -> None:
    """The same, where the tool's own line is in the timeline already."""
    unit.hold()
    found = unit.incident(incident)
    if found is not None:
        _answer(unit, found, Acknowledged(now, login, name, alarm_lines.BY_TOOL))


def close(
    unit: Unit, incident: str, word: Word, after: Sequence[AfterTask] = ()
) -> Incident | None:
    """Close the incident and its calls; one that is for others too goes on. Raises: HandlingError."""
    shut = incidents.close(unit, incident, word, after)
    for call in alarm_lines.calls_for(unit, shut) if shut else ():
        if all(one.closed_at is not None for one in alarm_lines.incidents_of(unit, call)):
            answering.close(unit, call.id, word.why, actor=word.by, now=word.at)
    return shut


def reopen(unit: Unit, incident: str, word: Word) -> Incident | None:
    """Open it again; who is on call is rung for it. Raises: HandlingError."""
    again = incidents.reopen(unit, incident, word)
    if again is not None:
        sound(unit, again, word.at)
    return again


def merge(unit: Unit, kept: str, other: str, word: Word) -> Incident | None:
    """Both as one; who has the one has the other. Raises: HandlingError."""
    whole = incidents.merge(unit, kept, other, word)
    if whole is not None:
        settle(unit, whole, word.at)
    return whole


def _answer(unit: Unit, found: Incident, given: Acknowledged) -> bool:
    """Whether a call waited for it."""
    calls = alarm_lines.calls_for(unit, found)
    waiting = [call for call in calls if call.course.acknowledged_at is None]
    for call in waiting[:1]:  # what is beside it is taken with it
        answering.acknowledge(unit, call.id, given)
    return bool(waiting)


def _is_wanted(unit: Unit, found: Incident) -> bool:
    """Grave, not a demonstration, and the structure did not say that it is to ring nobody.

    What opens an incident is grave: a guard that stopped an attack too, though nothing was lost.
    """
    if not is_grave(found.severity):
        return False
    profile = unit.profile()
    if profile is not None and not profile.ring_on_attack:
        return False
    hosts = [unit.host(host) for host in found.hosts]
    return any(h is None or not h.host.state.is_demonstration for h in hosts)


def _rung_at(call: HelpRequest, found: Incident) -> int:
    """How grave the incident was when somebody was rung for it last."""
    ids = {found.id, *found.merged}
    return max((gravity(a.severity) for a in call.attacks if a.incident in ids), default=0)


def _begin(unit: Unit, found: Incident, now: dt.datetime) -> None:
    attack = AttackCall(incident=found.id, severity=found.severity)
    ringing = [r for r in unit.attack_calls() if r.course.acknowledged_at is None]
    own = [r for r in ringing if _is_of(unit, r, found)]
    crowd = own if len(own) >= _MOST_OF_A_HOST else ringing
    if crowd is own or len(crowd) >= _MOST_RINGING:
        one = crowd[0]
        more = msgspec.structs.replace(one, attacks=(*one.attacks, attack))
        unit.put_help(more, escalation.wake_at(more.course))
        _ring_more(unit, more, found, "joined", now)
        return
    request = HelpRequest(
        id=_new_id(unit, found),
        structure=unit.structure,
        source=SOURCE,
        asked_by="server",
        attacks=(attack,),
        context=context_of(unit),
        course=escalation.begin(now, now),
    )
    if unit.add_help(request):
        opened = Step(number=1, at=now, kind="opened", person="server", due_at=found.opened_at)
        unit.add_help_steps(request.id, [opened])
        unit.record(now, "server", f"help/{request.id}", "ask", SOURCE)
        alarm_lines.note(unit, request, [opened])


def _is_of(unit: Unit, call: HelpRequest, found: Incident) -> bool:
    """Whether it rings for a machine of this incident's."""
    return any(set(one.hosts) & set(found.hosts) for one in alarm_lines.incidents_of(unit, call))


def _ring_more(
    unit: Unit, request: HelpRequest, found: Incident, why: str, now: dt.datetime
) -> None:
    """Those who were rung in vain are rung anew; while it rings it goes on for as long as at first."""
    call = digest(f"{found.id} {why} {now.isoformat()}")[:32]
    told = ring_again(unit, request.id, call, now)
    kind = "opened" if why == "joined" else "again"
    line = Step(number=told.course.number, at=now, kind=kind)
    alarm_lines.note_in(unit, found, told, [line])


def _new_id(unit: Unit, found: Incident) -> str:
    """An incident that was opened again has another call."""
    number = 1
    while True:
        identity = digest(f"{unit.structure} {SOURCE} {found.id} {number}")[:32]
        if unit.help_request(identity) is None:
            return identity
        number += 1
