"""Taking a call for help in, with its context. Asking twice under one id is asking once."""

import datetime as dt
import re
from collections.abc import Iterable
from itertools import islice

import msgspec

from releve.assist import escalation
from releve.assist.escalation import Again, Limits
from releve.flow.server import situations
from releve.flow.server.ports import Store, Unit
from releve.flow.server.signin import digest
from releve.model.help import (
    ContextFinding,
    ContextHost,
    ContextIncident,
    HelpContext,
    HelpRequest,
    Step,
)
from releve.model.standing import Standing

LONGEST_TEXT, LONGEST_PHONE, LONGEST_NAME = 2000, 40, 100
_MOST_FINDINGS, _MOST_INCIDENTS, _MOST_HOSTS = 6, 5, 20
_MOST_RINGS = 20  # a minute: more is a stolen token or session, a broken exchange or a broken host
_MOST_READ = 1000
_SAME_CALLER = dt.timedelta(minutes=15)  # who rings again wants the same thing, only sooner
_EARLIEST_RING = dt.timedelta(minutes=10)  # its clock may be off; more is not believed
_standing = msgspec.json.Decoder(Standing).decode
_NUMBER = re.compile(r"(?=.*[0-9])[0-9+ .()-]+")
_PHONE, _OPENED, _AGAIN, _CLOSED = "phone", "opened", "again", "closed"


class TooManyRings(Exception):  # noqa: N818  # a control value of this module
    """One asker tells of more calls than there can be."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks. `at`: when the clock started."""

    id: str
    source: str
    by: str
    text: str = ""
    is_blocked: bool = False
    phone: str = ""
    host: str = ""
    user: str = ""  # of that host
    at: dt.datetime


class PhoneRing(msgspec.Struct, frozen=True, kw_only=True):
    """What the phone system posts at the first ring. `call` is its own id of the call."""

    call: str
    caller: str = ""  # empty: withheld
    at: dt.datetime | None = None


def ask(store: Store, structure: str, asked: Asked, now: dt.datetime) -> HelpRequest:
    """The request, kept durably; the escalation rings from here on.

    Raises: TooManyRings, for an asker who goes mad, or wants others to.
    """
    with store.unit(structure) as unit:
        return ask_in(unit, asked, now)


def take_ring(store: Store, structure: str, ring: PhoneRing, now: dt.datetime) -> HelpRequest:
    """The request of a call; the same one for a call told twice, or a caller who rings again.

    Raises: TooManyRings.
    """
    identity = digest(f"{structure}/{ring.call}")[:32]
    caller = _number(ring.caller)
    with store.unit(structure) as unit:
        unit.hold()  # those that ring at the same time are counted, and known to each other
        known = unit.help_request(identity)
        if known is not None:
            return known
        rings = [r for r in recent(unit, now) if r.source == _PHONE]
        own = [r for r in rings if caller and _line_of(r.phone) == _line_of(caller)]
        told = next((r for r in own if _has_told(unit, r, identity)), None)
        if told is not None:
            return told
        check_rate(unit, rings, now)
        for request in own:
            is_open = request.course.phase != _CLOSED
            if is_open and now - request.course.opened_at < _SAME_CALLER:
                return ring_again(unit, request.id, identity, now)
        at = believed(ring.at, now)
        asked = Asked(id=identity, source=_PHONE, by=caller or _PHONE, phone=caller, at=at)
        return take_in(unit, asked, now)


def ask_in(unit: Unit, asked: Asked, now: dt.datetime) -> HelpRequest:
    """As `ask`, in a transaction that is open already. Raises: TooManyRings."""
    unit.hold()  # those that ask at the same time are counted
    known = unit.help_request(asked.id)
    if known is not None:
        return known
    check_rate(unit, (r for r in recent(unit, now) if r.asked_by == asked.by), now)
    return take_in(unit, asked, now)


def make_line(store: Store, structure: str, token: str, *, actor: str, now: dt.datetime) -> None:
    """The phone system's token, in place of the one before; only its hash is kept."""
    with store.unit(structure) as unit:
        unit.put_help_line(digest(token), now)
        unit.record(now, actor, "help/line", "make_token")


def take_in(unit: Unit, asked: Asked, now: dt.datetime) -> HelpRequest:
    phone = _number(asked.phone)
    said = asked.text if phone else f"{asked.text.strip()}\n{asked.phone.strip()}"
    request = HelpRequest(
        id=asked.id,
        structure=unit.structure,
        source=asked.source,
        asked_by=asked.by[:LONGEST_NAME],
        user=asked.user[:LONGEST_NAME],
        text=said.strip()[:LONGEST_TEXT],
        is_blocked=asked.is_blocked,
        phone=phone,
        context=context_of(unit, asked.host),
        course=escalation.begin(min(asked.at, now), now),
    )
    if not unit.add_help(request):
        return unit.help_request(asked.id) or request
    opened = Step(number=1, at=now, kind=_OPENED, person=request.asked_by, due_at=asked.at)
    unit.add_help_steps(request.id, [opened])
    unit.record(now, request.asked_by, f"help/{request.id}", "ask", request.source)
    situations.keep(unit, now)  # who watches many structures sees it at once
    return request


def recent(unit: Unit, now: dt.datetime) -> list[HelpRequest]:
    """All that can have come, or been told of again, in the last minutes; the newest first."""
    oldest = now - _SAME_CALLER - _EARLIEST_RING
    return [r for r in unit.help_requests(most=_MOST_READ) if r.course.opened_at > oldest]


def again_at(unit: Unit, request: HelpRequest) -> dt.datetime | None:
    """When its asker last rang again."""
    return max((s.at for s in unit.help_steps(request.id) if s.kind == _AGAIN), default=None)


def _has_told(unit: Unit, request: HelpRequest, call: str) -> bool:
    return any(s.kind == _AGAIN and s.person == call for s in unit.help_steps(request.id))


def check_rate(unit: Unit, requests: Iterable[HelpRequest], now: dt.datetime) -> None:
    """By the server's own time of arrival: an asker's `at` does not count. Raises: TooManyRings."""
    since = now - dt.timedelta(minutes=1)
    steps = (step for request in requests for step in unit.help_steps(request.id))
    came = (s for s in steps if s.kind in (_OPENED, _AGAIN) and s.at > since)
    if len(list(islice(came, _MOST_RINGS))) == _MOST_RINGS:
        raise TooManyRings


def ring_again(unit: Unit, identity: str, call: str, now: dt.datetime) -> HelpRequest:
    """`call`: by which it is known when the same call is told twice."""
    request = unit.help_request(identity, lock=True)
    if request is None:
        raise LookupError(identity)
    course, steps = escalation.step(request.course, Again(now, call), Limits())
    told = msgspec.structs.replace(request, course=course)
    unit.add_help_steps(identity, steps)
    unit.put_help(told, escalation.wake_at(course))
    return told


def context_of(unit: Unit, host: str = "") -> HelpContext:
    """What is known now of one host, or of all: ids and figures, no name of a file."""
    hosts = [h for h in unit.hosts() if host in ("", h.id)][:_MOST_HOSTS]
    findings = [f for h in hosts for f in unit.findings_of(h.id, most=_MOST_FINDINGS)]
    findings = sorted(findings, key=lambda f: f.seen_at, reverse=True)[:_MOST_FINDINGS]
    incidents = unit.open_incidents(host)[:_MOST_INCIDENTS]
    return HelpContext(
        hosts=tuple(
            ContextHost(
                id=h.id,
                name=h.name,
                guard=h.state.guard,
                last_seen_at=h.last_seen_at,
                last_good_backup_at=h.state.backup.last_good_at if h.state.backup else None,
            )
            for h in hosts
        ),
        findings=tuple(
            ContextFinding(
                id=f.id, host=f.host, kind=f.kind, severity=f.severity.value, seen_at=f.seen_at
            )
            for f in findings
        ),
        incidents=tuple(
            ContextIncident(id=i.id, host=i.host, severity=i.severity.value, opened_at=i.opened_at)
            for i in incidents
        ),
        vault_last_at=_vault_last(unit),
    )


def _vault_last(unit: Unit) -> dt.datetime | None:
    records = [unit.vault(vault.id) for vault in unit.vaults() if vault.removed_at is None]
    told = [_standing(r.standing) for r in records if r is not None and r.standing]
    newest = max((h.last_snapshot_ns for one in told for h in one.hosts), default=0)
    return dt.datetime.fromtimestamp(newest / 1e9, dt.UTC) if newest else None


def believed(at: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """The asker's own time of the first ring, if it can be."""
    if at is None or at.tzinfo is None or not now - _EARLIEST_RING <= at <= now:
        return now
    return at


def _number(text: str) -> str:
    """A number to call; empty for anything else: messages say it, and a link has no place there."""
    number = " ".join(text.split())
    return number if len(number) <= LONGEST_PHONE and _NUMBER.fullmatch(number) else ""


def _line_of(number: str) -> str:
    """The same line however an exchange writes it: +33 2 99…, 0033299…, 02.99…; else as dialled in France."""
    digits = "".join(c for c in number if c.isdigit())
    if number.startswith("+"):
        abroad = digits
    elif digits.startswith("00"):
        abroad = digits[2:]
    else:
        return digits
    return f"0{abroad[2:].lstrip('0')}" if abroad.startswith("33") else f"+{abroad}"
