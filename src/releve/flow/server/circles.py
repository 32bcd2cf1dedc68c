"""Groups and insurers: made, joined, left; what a group looks at, told to each of its members."""

import datetime as dt

import msgspec

from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ports import Session, Store, Structure, Unit
from releve.model.circle import Circle, CircleKind, Member, Membership

LOOKS = ("see_group", "see_sums")  # the verbs of the trail that say who looked
DAYS_SHOWN = 90


def make(
    store: Store, name: str, kind: CircleKind, *, identity: str, actor: str, now: dt.datetime
) -> Circle | None:
    """A structure of its own for its people; None when one of that name is something else."""
    others = (known for known in store.circles() if known.kind is not kind)
    if name in {known.name for known in others}:
        return None
    made = ensure_structure(store, name, identity, now)
    with store.unit(made.id) as unit:
        if unit.hosts():
            return None
        unit.put_circle(kind)
        unit.record(now, actor, f"structure/{made.id}", f"make_{kind.value}")
    return Circle(id=made.id, name=made.name, kind=kind)


def join(unit: Unit, circle: Circle, *, actor: str, now: dt.datetime) -> bool:
    """False when the structure is in it already."""
    unit.hold()
    known = unit.membership(circle.id)
    if known is not None and known.ended_at is None:
        return False
    joined = Membership(circle=circle.id, kind=circle.kind, by=actor, since=now)
    unit.put_membership(joined)
    unit.record(now, actor, f"{circle.kind.value}/{circle.id}", "join", circle.name)
    return True


def leave(unit: Unit, circle: Circle, *, actor: str, now: dt.datetime) -> bool:
    """From now on nothing of the structure is shown there. False when it is not in it."""
    unit.hold()
    known = unit.membership(circle.id)
    if known is None or known.ended_at is not None:
        return False
    unit.put_membership(msgspec.structs.replace(known, ended_at=now, ended_by=actor))
    unit.record(now, actor, f"{circle.kind.value}/{circle.id}", "leave_circle", circle.name)
    return True


def members(store: Store, circle: str) -> list[tuple[Structure, Membership]]:
    """Who is in it now, in the order in which they came."""
    found = []
    for structure in store.structures():
        with store.unit(structure.id, writes=False) as unit:
            known = unit.membership(circle)
        if known is not None and known.ended_at is None:
            found.append((structure, known))
    return sorted(found, key=lambda pair: (pair[1].since, pair[0].id))


def look(store: Store, session: Session, now: dt.datetime) -> list[Member]:
    """What the group sees now; that it looked is a line of each member's trail first."""
    since = now.date() - dt.timedelta(days=DAYS_SHOWN)
    seen = store.members_seen_by(session.person, session.structure, since)
    for member in seen:
        with store.unit(member.situation.structure) as unit:
            unit.record(now, session.login, f"group/{session.structure}", "see_group")
    return seen
