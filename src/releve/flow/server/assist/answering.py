"""Who takes a call for help, and what was done: in the console, or by the link that was sent."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.assist import escalation
from releve.assist.escalation import Acknowledged, Closed, Input, Limits
from releve.flow.server.assist import alarm_lines
from releve.flow.server.assist.asking import LONGEST_NAME
from releve.flow.server.ports import Store, Unit
from releve.flow.server.signin import digest
from releve.model.help import HelpRequest, Step

LIMITS = Limits()
_LONGEST_DONE = 2000


class OwnCall(Exception):  # noqa: N818  # a control value of this module
    """Who asked for help is not the help that comes."""


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of a link may say to whoever opens it: first names and the structure."""

    structure: str
    structure_name: str
    name: str  # first name of whom the link was sent to
    phase: str
    comes: str = ""  # first name of who comes
    is_mine: bool = False
    is_reminder: bool = False
    is_attack: bool = False


def move(
    unit: Unit, request: HelpRequest, inputs: Sequence[Input], limits: Limits
) -> tuple[HelpRequest, tuple[Step, ...]]:
    """Fold them in and keep what changed; the request must have been read with its lock.

    Of an attack after `Unit.hold`: its incident's timeline is told.
    """
    course = request.course
    steps: list[Step] = []
    for given in inputs:
        course, more = escalation.step(course, given, limits)
        steps += more
    if course == request.course:
        return request, ()
    moved = msgspec.structs.replace(request, course=course)
    unit.add_help_steps(request.id, steps)
    unit.put_help(moved, escalation.wake_at(course))
    if moved.attacks:
        alarm_lines.note(unit, moved, steps)
    return moved, tuple(steps)


def acknowledge(
    unit: Unit, identity: str, given: Acknowledged, limits: Limits = LIMITS
) -> HelpRequest | None:
    """The request as it is then: the first who takes it has it. None: there is no such request.

    Raises: OwnCall, for the login that asked; the link that rang somebody on call is good for all.
    """
    unit.hold()  # before the request's own lock, as whoever folds findings
    request = unit.help_request(identity, lock=True)
    if request is None:
        return None
    if not given.channel and is_own(request, given.person):
        raise OwnCall
    taken, steps = move(unit, request, (given,), limits)
    if steps:
        unit.record(given.at, given.person, f"help/{identity}", "acknowledge", given.channel)
        for other in alarm_lines.waiting_beside(unit, taken):
            acknowledge(unit, other.id, given, limits)
    return taken


def close(
    unit: Unit, identity: str, done: str, *, actor: str, now: dt.datetime
) -> HelpRequest | None:
    """Closed with what was done about it; who closes what nobody took has taken it, but not their own."""
    unit.hold()
    taken = unit.help_request(identity, lock=True)
    if taken is not None and not is_own(taken, actor):
        taken = acknowledge(unit, identity, Acknowledged(now, actor, actor))
    if taken is None or taken.course.phase == "closed":
        return taken
    said = msgspec.structs.replace(taken, done=done.strip()[:_LONGEST_DONE], closed_by=actor)
    closed, _ = move(unit, said, (Closed(now, actor),), LIMITS)
    unit.record(now, actor, f"help/{identity}", "close")
    return closed


def is_own(request: HelpRequest, person: str) -> bool:
    return request.source == "console" and request.asked_by == person[:LONGEST_NAME]


def look(store: Store, code: str, now: dt.datetime) -> Invitation | None:
    """Whom a link invites; None for a code that is unknown or over. Changes nothing."""
    structure = store.structure_of_help_code(digest(code))
    if structure is None:
        return None
    with store.unit(structure, writes=False) as unit:
        found = _ring_of(unit, code, now)
        request = unit.help_request(found[0]) if found else None
    if found is None or request is None:
        return None
    return _invitation(store, request, found[1])


def answer(store: Store, code: str, now: dt.datetime) -> Invitation | None:
    """Take the request by the link; a code does so once. None: unknown or over."""
    structure = store.structure_of_help_code(digest(code))
    if structure is None:
        return None
    with store.unit(structure) as unit:
        found = _ring_of(unit, code, now)
        if found is None:
            return None
        identity, ring = found
        unit.hold()
        # Locked before the code is looked at: two who press at once must not both have it.
        request = unit.help_request(identity, lock=True)
        if request is not None and unit.use_help_code(digest(code), now):
            given = Acknowledged(now, ring.person, ring.name, ring.channel)
            request = acknowledge(unit, identity, given)
    return None if request is None else _invitation(store, request, ring)


def _ring_of(unit: Unit, code: str, now: dt.datetime) -> tuple[str, Step] | None:
    found = unit.help_code(digest(code), now)
    if found is None:
        return None
    steps = unit.help_steps(found.request)
    ring = next((s for s in steps if s.number == found.ring), None)
    return None if ring is None else (found.request, ring)


def _invitation(store: Store, request: HelpRequest, ring: Step) -> Invitation:
    course = request.course
    names = {s.id: s.name for s in store.structures()}
    return Invitation(
        structure=request.structure,
        structure_name=names.get(request.structure, ""),
        name=first_name(ring.name),
        phase=course.phase,
        comes=first_name(course.name),
        is_mine=course.person == ring.person,
        is_reminder=bool(request.clocks),
        is_attack=bool(request.attacks),
    )


def first_name(name: str) -> str:
    """Without a title: Claire of Dr Claire Martin."""
    words = [word for word in name.split() if word.rstrip(".").lower() not in ("dr", "pr", "me")]
    return words[0] if words else name
