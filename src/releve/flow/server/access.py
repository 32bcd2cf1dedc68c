"""Who may do what: one table of roles and verbs, grants, and how somebody of elsewhere comes in."""

import base64
import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.flow.server.id_token import opened, sealed
from releve.flow.server.ports import NewSecret, Person, Session, Store, Unit
from releve.flow.server.signin import WayEnded, digest
from releve.model.access import Admission, Grant, Role, Verb

SHORTEST_REASON = 10
LONGEST_REASON = 300
_CHANGED = msgspec.structs.replace


class Stay(msgspec.Struct, frozen=True):
    """How long somebody of elsewhere may stay: one shift of the night, then the reason is asked anew."""

    longest: dt.timedelta = dt.timedelta(hours=8)


STAY = Stay()

_READS = {
    Verb.ARRIVE, Verb.LOOK, Verb.SEE_DESK, Verb.SEE_INCIDENTS, Verb.SEE_DUTIES, Verb.SEE_STATEMENTS,
    Verb.SEE_TRAIL, Verb.SEE_PEOPLE, Verb.SEE_SETTINGS,
}  # fmt: skip
_EVERYBODY = {Verb.ARRIVE, Verb.LOOK, Verb.ASK_HELP, Verb.SEE_PEOPLE}
_WORK = {
    Verb.ASK_HELP,
    Verb.ANSWER_HELP,
    Verb.HANDLE_INCIDENTS,
    Verb.ACT,
    Verb.PREPARE_DUTIES,
    Verb.MAKE_STATEMENTS,
    Verb.CHANGE_SETTINGS,
    Verb.CHANGE_TOOLS,
}
_MAY: dict[Role, frozenset[Verb]] = {
    # Works at night for the structure; signs nothing in its name, and lets nobody in.
    Role.OPERATOR: frozenset(_READS | _WORK),
    Role.LEAD: frozenset(_READS | _WORK | {Verb.SIGN_DUTIES, Verb.CHANGE_PEOPLE, Verb.CONSENT}),
    # Needs help and the state of the practice; the trail and the incidents name colleagues.
    Role.STAFF: frozenset(_EVERYBODY),
    # Notifies, answers for the register, reads who did what; gives no order to a machine.
    Role.DPO: frozenset(
        _EVERYBODY
        | {Verb.SEE_INCIDENTS, Verb.SEE_DUTIES, Verb.PREPARE_DUTIES, Verb.SIGN_DUTIES}
        | {Verb.SEE_SETTINGS, Verb.SEE_TRAIL}
    ),
    Role.AUDITOR: frozenset(_READS),
    # Compare and add up; they see no page of any structure.
    Role.GROUP: frozenset({Verb.ARRIVE, Verb.SEE_GROUP}),
    Role.INSURER: frozenset({Verb.ARRIVE, Verb.SEE_SUMS}),
}  # SEE_SITUATION is of the person too: see `check`
_OF_THE_PERSON = (Verb.CHOOSE, Verb.OWN_ACCOUNT)  # not of the structure acted in


class Refused(Exception):  # noqa: N818  # told by the driver, no error for people
    """`why`: "reason" (too short or too long), "grant" (none)."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotAllowed(Exception):  # noqa: N818  # told by the driver, no error for people
    """The role does not reach so far."""


class AdmissionEnded(Exception):  # noqa: N818  # told by the driver, no error for people
    """The stay in this structure is over, or nothing is granted here any more: choose again."""


def may(role: Role | None, verb: Verb) -> bool:
    """The whole policy; no role, no verb."""
    return role is not None and verb in _MAY[role]


def reaches(role: Role | None, verb: Verb, *, is_operator: bool) -> bool:
    """What `check` lets through, without asking again: for pages that offer only that."""
    if verb is Verb.SEE_SITUATION:
        return is_operator
    return verb in _OF_THE_PERSON or may(role, verb)


def check(store: Store, session: Session, verb: Verb, now: dt.datetime) -> Role | None:
    """The role acted in; None where only the choice of a structure is left.

    Asked anew for each page: what ends, ends at once. Raises: NotAllowed, AdmissionEnded.
    """
    role = _role(store, session, now)
    if verb in _OF_THE_PERSON or (
        verb is Verb.SEE_SITUATION and is_operator(store, session.person)
    ):
        return role
    if role is None:
        raise AdmissionEnded
    if not may(role, verb):
        raise NotAllowed
    return role


def is_operator(store: Store, person: str) -> bool:
    """Of any structure."""
    return operates(store.grants_of(person))


def operates(granted: Sequence[tuple[str, Grant]]) -> bool:
    return any(grant.role is Role.OPERATOR for _, grant in granted)


def has_elsewhere(session: Session, granted: Sequence[tuple[str, Grant]]) -> bool:
    """Whether there is another structure to act in than the one acted in; `granted`: the person's."""
    home = session.home or session.structure
    return not session.is_home or any(structure != home for structure, _ in granted)


def _role(store: Store, session: Session, now: dt.datetime) -> Role | None:
    with store.unit(session.structure, writes=False) as unit:
        grant = unit.grant(session.person)
        admission = unit.admission(session.admission) if session.admission else None
    if session.is_home:
        # People of before there were roles have no row: they saw all of their own structure.
        return Role.LEAD if grant is None else _in_force(grant)
    is_in = admission is not None and admission.person == session.person and admission.until > now
    return _in_force(grant) if grant is not None and is_in else None


def role_in(unit: Unit, person: str) -> Role | None:
    """What somebody may be here by grant alone, also when they are not in."""
    grant = unit.grant(person)
    if grant is None:
        return Role.LEAD if unit.person(person) is not None else None
    return _in_force(grant)


def _in_force(grant: Grant) -> Role | None:
    return grant.role if grant.ended_at is None else None


def give(unit: Unit, person: Person, role: Role, *, actor: str, now: dt.datetime) -> Grant:
    """From now on this role, in place of another one."""
    grant = Grant(
        person=person.id,
        login=person.login,
        role=role,
        is_home=person.structure == unit.structure,
        by=actor,
        at=now,
    )
    unit.put_grant(grant)
    unit.record(now, actor, f"person/{person.id}", "grant", f"{person.login} {role.value}")
    return grant


def end(unit: Unit, person: str, *, actor: str, now: dt.datetime) -> Grant | None:
    """Nothing is granted any more, and whoever is in is out; None when nothing was."""
    unit.hold()
    grant = unit.grant(person)
    if grant is None and (known := unit.person(person)) is not None:
        grant = _of_before(known)
    if grant is None or grant.ended_at is not None:
        return None
    ended = _CHANGED(grant, ended_at=now)
    unit.put_grant(ended)
    unit.drop_sessions_of(person)
    unit.record(now, actor, f"person/{person}", "end_grant", f"{grant.login} {grant.role.value}")
    return ended


def in_force(unit: Unit) -> list[Grant]:
    """Who may be in this structure now; people of before as the leads that they are."""
    grants = unit.grants()
    known = {grant.person for grant in grants}
    before = [_of_before(person) for person in unit.people() if person.id not in known]
    return [*before, *(grant for grant in grants if grant.ended_at is None)]


def _of_before(person: Person) -> Grant:
    return Grant(
        person=person.id,
        login=person.login,
        role=Role.LEAD,
        is_home=True,
        by="",
        at=person.created_at,
    )


def go_to(
    store: Store,
    session: Session,
    secret: str,
    to: str,
    reason: str,
    *,
    new_secret: NewSecret,
    identity: str,
    now: dt.datetime,
) -> tuple[str, Session]:
    """Act in another structure from now on: a new session in place of the old one. Raises: Refused, WayEnded.

    Whoever is of elsewhere is written down there first, in the trail and for its people.
    """
    is_home = to == (session.home or session.structure)
    if not is_home:
        _check(store, session, to, reason)
    fresh = base64.urlsafe_b64encode(new_secret()).decode().rstrip("=")
    with store.unit(to) as unit:
        unit.hold()  # who ends the grant holds it too: either sees the other
        grant = unit.grant(session.person)
        if not is_home and (grant is None or grant.ended_at is not None):
            raise Refused("grant")
        admission = None if is_home or grant is None else _admit(unit, grant, reason, identity, now)
        entered = _CHANGED(
            session,
            structure=to,
            home=session.home or session.structure,
            admission=admission.id if admission else "",
            csrf=new_secret().hex(),
            seen_at=now,
            id_token=sealed(opened(session.id_token, secret), fresh),
        )
        unit.put_session(digest(fresh), entered)
    with store.unit(session.structure) as unit:
        was_there = unit.drop_session(digest(secret))
        if was_there and not session.is_home:
            unit.record(now, session.login, "structure", "leave")
    if not was_there:  # it was ended meanwhile: what came in its place, nobody could see yet
        with store.unit(to) as unit:
            unit.drop_session(digest(fresh))
        raise WayEnded
    return fresh, entered


def _check(store: Store, session: Session, to: str, reason: str) -> None:
    grant = next((g for at, g in store.grants_of(session.person) if at == to), None)
    if grant is None:
        raise Refused("grant")
    is_told = SHORTEST_REASON <= len(reason.strip()) <= LONGEST_REASON
    if grant.role is Role.OPERATOR and not is_told:
        raise Refused("reason")


def _admit(unit: Unit, grant: Grant, reason: str, identity: str, now: dt.datetime) -> Admission:
    admission = Admission(
        id=identity,
        person=grant.person,
        login=grant.login,
        role=grant.role,
        reason=reason.strip()[:LONGEST_REASON],
        since=now,
        until=now + STAY.longest,
    )
    unit.add_admission(admission)
    told = f"{grant.role.value}: {admission.reason}"
    unit.record(now, grant.login, "structure", "enter", told)
    return admission
