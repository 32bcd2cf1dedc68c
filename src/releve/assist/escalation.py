"""From a request to a named person: whom to ring next. A fold; its steps are the proof.

A `ring` among the returned steps is to be sent once it is kept; its outcome comes back as Delivered or
Failed. Whoever drives it gives a Tick whenever `wake_at` has come, and after each outcome.
"""

import datetime as dt
from typing import assert_never

import msgspec

from releve.model.help import Course, Responder, Ringing, Step

_replace = msgspec.structs.replace


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Every time of an escalation, with its reason."""

    # Three minutes hold four people, each with time to wake up and read.
    answer: dt.timedelta = dt.timedelta(seconds=45)
    # Twice the promise: four people are rung twice; a single one eight times.
    insist: dt.timedelta = dt.timedelta(minutes=6)
    # What has not been handed over by now is failing: the next channel or person must not wait.
    send: dt.timedelta = dt.timedelta(seconds=10)
    # Longer than a send may take, so that nobody else sends what is still being sent.
    lease: dt.timedelta = dt.timedelta(seconds=15)
    # One shift: who wakes up late may still take it.
    code: dt.timedelta = dt.timedelta(hours=12)
    rounds: int = 2  # at least: who did not hear it once may the second time


class Tick(msgspec.Struct, frozen=True):
    """Time went on; `chain` is who is on call now, in order; `again_at`: when the asker last rang again."""

    at: dt.datetime
    chain: tuple[Responder, ...]
    again_at: dt.datetime | None = None


class Delivered(msgspec.Struct, frozen=True):
    """A channel took the message."""

    at: dt.datetime
    number: int


class Failed(msgspec.Struct, frozen=True):
    at: dt.datetime
    number: int
    why: str


class Acknowledged(msgspec.Struct, frozen=True):
    """A named person takes it; `channel`: by whose link, empty in the console."""

    at: dt.datetime
    person: str
    name: str
    channel: str = ""


class Closed(msgspec.Struct, frozen=True):
    at: dt.datetime
    person: str


class Again(msgspec.Struct, frozen=True):
    """The same asker rings again; `call` tells the one ring from the next."""

    at: dt.datetime
    call: str


Input = Tick | Delivered | Failed | Acknowledged | Closed | Again
Stepped = tuple[Course, tuple[Step, ...]]


def begin(at: dt.datetime, kept_at: dt.datetime) -> Course:
    """A request whose clock started at `at` and that is kept now: the first one is rung at once."""
    return Course(opened_at=at, due_at=kept_at)


def wake_at(course: Course) -> dt.datetime | None:
    """When a Tick has to come; None: nothing is waited for. Never further away than `answer`."""
    if course.phase == "ended" and course.ended_at is not None:
        return course.due_at if course.due_at > course.ended_at else None
    if course.phase != "ringing":
        return None
    return min([course.due_at, *(ring.until for ring in course.out)])


def step(course: Course, given: Input, limits: Limits) -> Stepped:
    match given:
        case Tick():
            return _tick(course, given, limits)
        case Delivered() | Failed():
            return _outcome(course, given)
        case Acknowledged():
            return _acknowledge(course, given)
        case Closed():
            return _close(course, given)
        case Again():
            return _again(course, given)
        case _:
            assert_never(given)


def lost(
    course: Course, at: dt.datetime, limits: Limits, alone_since: dt.datetime | None = None
) -> tuple[Course, tuple[Ringing, ...]]:
    """The rings whose sender is gone, to be sent again under their own number.

    Args:
        course: as kept.
        at: now.
        limits: how long a lease is.
        alone_since: when the only sender began: nobody sends what was sent before. None: there are more.
    """
    if course.phase != "ringing":
        return course, ()
    gone = {
        ring.number
        for ring in course.out
        if _is_due(ring.until, at, limits.lease)
        or (alone_since is not None and ring.until - limits.lease < alone_since)
    }
    out = tuple(_replace(r, until=at + limits.lease) if r.number in gone else r for r in course.out)
    return _replace(course, out=out), tuple(r for r in out if r.number in gone)


def _tick(course: Course, tick: Tick, limits: Limits) -> Stepped:
    if wake_at(course) is None or not _is_due(course.due_at, tick.at, limits.answer):
        return course, ()
    if course.phase == "ended":
        return _look_on(course, tick, limits)
    waiting = [person for person in tick.chain if person.id not in course.rung]
    if waiting:
        return _ring(course, waiting[0], tick.at, limits)
    return _end_of_round(course, tick, limits)


def _ring(course: Course, person: Responder, at: dt.datetime, limits: Limits) -> Stepped:
    steps: list[Step] = []
    out: list[Ringing] = []
    for number, channel in enumerate(person.channels, course.number + 1):
        rings = Step(
            number=number,
            at=at,
            kind="ring",
            person=person.id,
            name=person.name,
            channel=channel.name,
            round=course.round,
            due_at=course.due_at,
        )
        steps.append(rings)
        until = at + limits.lease
        ringing = Ringing(
            number=number,
            person=person.id,
            name=person.name,
            channel=channel.name,
            until=until,
        )
        out.append(ringing)
    rung = _replace(
        course,
        number=course.number + len(steps),
        rung=(*course.rung, person.id),
        reached=False,
        out=(*course.out, *out),
        due_at=at + limits.answer,
    )
    return rung, tuple(steps)


def _end_of_round(course: Course, tick: Tick, limits: Limits) -> Stepped:
    if not tick.chain:
        is_nobody = not course.rung and course.round == 1
        ended, steps = _end(course, tick.at, "nobody_on_call" if is_nobody else "end_of_chain")
        return _replace(ended, due_at=_next_look(ended, tick, limits)), steps
    if course.round >= limits.rounds and _is_long_enough(course, tick, limits):
        return _end(course, tick.at, "end_of_chain")
    again = _replace(course, round=course.round + 1, rung=(), heard=False)
    if course.heard:
        return _tick(again, tick, limits)
    # Not one message got out: that may mend itself, so the next round waits a moment.
    return _replace(again, due_at=tick.at + limits.answer), ()


def _end(course: Course, at: dt.datetime, kind: str) -> Stepped:
    number = course.number + 1
    ended = _replace(course, phase="ended", ended_at=at, due_at=at, number=number)
    said = Step(number=number, at=at, kind=kind, round=course.round, due_at=course.due_at)
    return ended, (said,)


def _look_on(course: Course, tick: Tick, limits: Limits) -> Stepped:
    """Nobody was on call: whoever comes on duty while one would still insist is rung."""
    if tick.chain:
        return _tick(_anew(course, tick.at), tick, limits)
    return _replace(course, due_at=_next_look(course, tick, limits)), ()


def _next_look(course: Course, tick: Tick, limits: Limits) -> dt.datetime:
    """When to look for somebody on duty; the end itself: no more."""
    later = tick.at + limits.answer
    return course.ended_at or later if _is_long_enough(course, tick, limits) else later


def _is_long_enough(course: Course, tick: Tick, limits: Limits) -> bool:
    return tick.at - max(course.opened_at, tick.again_at or course.opened_at) >= limits.insist


def _anew(course: Course, at: dt.datetime) -> Course:
    return _replace(
        course,
        phase="ringing",
        ended_at=None,
        due_at=at,
        round=1,
        rung=(),
        heard=False,
        reached=False,
    )


def _again(course: Course, given: Again) -> Stepped:
    """It is kept; where nobody had come, all are rung anew."""
    number = course.number + 1
    told = _replace(course, number=number)
    said = Step(number=number, at=given.at, kind="again", person=given.call)
    return (_anew(told, given.at) if course.phase == "ended" else told), (said,)


def _outcome(course: Course, given: Delivered | Failed) -> Stepped:
    ring = next((one for one in course.out if one.number == given.number), None)
    if ring is None:
        return course, ()  # told before: sent twice, by a server that was thought gone
    number = course.number + 1
    said = Step(
        number=number,
        at=given.at,
        kind="delivered" if isinstance(given, Delivered) else "failed",
        person=ring.person,
        name=ring.name,
        channel=ring.channel,
        round=course.round,
        of=ring.number,
        why=given.why if isinstance(given, Failed) else "",
    )
    out = tuple(one for one in course.out if one is not ring)
    told = _replace(course, number=number, out=out)
    is_turn = bool(course.rung) and course.rung[-1] == ring.person
    if isinstance(given, Delivered):
        return _replace(told, heard=True, reached=told.reached or is_turn), (said,)
    if is_turn and not told.reached and all(one.person != ring.person for one in out):
        # Nothing reaches this person: nobody waits for an answer that cannot come.
        told = _replace(told, due_at=min(told.due_at, given.at))
    return told, (said,)


def _acknowledge(course: Course, given: Acknowledged) -> Stepped:
    if course.phase not in ("ringing", "ended"):
        return course, ()
    number = course.number + 1
    taken = _replace(
        course,
        phase="acknowledged",
        person=given.person,
        name=given.name,
        acknowledged_at=given.at,
        number=number,
    )
    said = Step(
        number=number,
        at=given.at,
        kind="acknowledged",
        person=given.person,
        name=given.name,
        channel=given.channel,
        round=course.round,
    )
    return taken, (said,)


def _close(course: Course, given: Closed) -> Stepped:
    if course.phase == "closed":
        return course, ()
    number = course.number + 1
    closed = _replace(course, phase="closed", closed_at=given.at, number=number)
    return closed, (Step(number=number, at=given.at, kind="closed", person=given.person),)


def _is_due(when: dt.datetime, now: dt.datetime, most: dt.timedelta) -> bool:
    """A time further away than any that is set means that the clock was put back: it is due too."""
    return when <= now or when - now > most
