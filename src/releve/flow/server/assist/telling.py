"""How far a call for help is, for the host that asked."""

import datetime as dt

from releve.flow.server.assist.asking import Asked, TooManyRings, ask, believed
from releve.flow.server.ports import Store, Unit
from releve.flow.server.refusal import Refused
from releve.flow.server.signin import digest
from releve.flow.wire import HelpAsk, HelpTold, HostTold
from releve.model.structure import Contact

_ROLES = ("it", "lead")  # whom a structure calls itself when nobody comes


def ask_from_host(
    store: Store, structure: str, host: str, wanted: HelpAsk, now: dt.datetime
) -> HelpTold:
    """Keep the request if it is new; how far it is. One host cannot reach another's by its id.

    Raises: Refused, for more than there can be.
    """
    asked = Asked(
        id=digest(f"{structure}/{host}/{wanted.id}")[:32],
        source="host",
        by=f"host/{host}",
        text=wanted.text,
        is_blocked=wanted.is_blocked,
        phone=wanted.phone,
        host=host,
        user=wanted.by,
        at=believed(wanted.at, now),
    )
    try:
        request = ask(store, structure, asked, now)
    except TooManyRings:
        raise Refused("too_many") from None
    with store.unit(structure, writes=False) as unit:
        steps, phones = unit.help_steps(request.id), phones_of(unit)
    rung = dict.fromkeys(step.name for step in steps if step.kind == "ring")
    return HelpTold(
        request=request.id,
        phase=request.course.phase,
        rung=tuple(rung),
        comes=request.course.name,
        phones=phones,
        server_time=now,
    )


def state_of_host(store: Store, structure: str, host: str, now: dt.datetime) -> HostTold:
    """What its own help page shows."""
    with store.unit(structure, writes=False) as unit:
        known, incidents, phones = unit.host(host), unit.open_incidents(host), phones_of(unit)
    backup = known.host.state.backup if known else None
    return HostTold(
        incidents=len(incidents),
        last_good_backup_at=backup.last_good_at if backup else None,
        phones=phones,
        server_time=now,
    )


def whom_to_call(unit: Unit) -> tuple[Contact, ...]:
    """The structure's own contacts for its machines who have a number."""
    profile = unit.profile()
    known = profile.contacts if profile else ()
    return tuple(c for role in _ROLES for c in known if c.role == role and c.phone)


def phones_of(unit: Unit) -> tuple[str, ...]:
    """Name and number of the structure's own contacts for its machines."""
    return tuple(f"{one.name} {one.phone}" for one in whom_to_call(unit))
