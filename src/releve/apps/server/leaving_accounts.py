"""The accounts that end with a structure, and what of other structures ends with them."""

import msgspec

from releve.adapters.sql.store import SqlStore
from releve.flow.server import access
from releve.flow.server.ports import Structure, Unit
from releve.model.access import Grant, Role

# Without one of these nobody lets people in there, or nobody watches over it.
_NEEDED = (Role.LEAD, Role.OPERATOR)


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """A role in another structure. `is_last`: nobody whose account stays has it there."""

    structure: str  # its name
    role: Role
    is_last: bool


class EndingAccount(msgspec.Struct, frozen=True, kw_only=True):
    login: str
    role: Role | None  # at home; None: it may do nothing there any more
    elsewhere: tuple[Elsewhere, ...]


def ending(store: SqlStore, leaving: Structure) -> tuple[EndingAccount, ...]:
    """Every account of the structure, by login."""
    with store.unit(leaving.id, writes=False) as unit:
        people = sorted(unit.people(), key=lambda person: person.login)
        roles = {person.id: access.role_in(unit, person.id) for person in people}
    names = {one.id: one.name for one in store.structures()}
    return tuple(
        EndingAccount(
            login=person.login,
            role=roles[person.id],
            elsewhere=tuple(
                Elsewhere(
                    structure=names[there],
                    role=grant.role,
                    is_last=_is_last(store, there, grant.role, leaving),
                )
                for there, grant in store.grants_of(person.id)
                if there != leaving.id
            ),
        )
        for person in people
    )


def losses(accounts: tuple[EndingAccount, ...], by: str) -> tuple[str, ...]:
    """What somebody has to have agreed to before these accounts end."""
    lost = sorted({(e.structure, e.role.value) for a in accounts for e in a.elsewhere if e.is_last})
    decider = [a.login for a in accounts if a.login.casefold() == by.strip().casefold()]
    return (
        *(f"{structure} perd son dernier / loses its last {role}" for structure, role in lost),
        *(
            f"le compte de {login}, qui décide, finit aussi / the account of {login}, who decides, ends too"
            for login in decider
        ),
    )


def _is_last(store: SqlStore, there: str, role: Role, leaving: Structure) -> bool:
    if role not in _NEEDED:
        return False
    with store.unit(there, writes=False) as unit:
        return not any(_stays(store, unit, grant, leaving) for grant in _held(unit, role))


def _held(unit: Unit, role: Role) -> list[Grant]:
    return [grant for grant in access.in_force(unit) if grant.role is role]


def _stays(store: SqlStore, unit: Unit, grant: Grant, leaving: Structure) -> bool:
    """A grant outlives the account of a person whose structure left before."""
    if unit.person(grant.person) is not None:
        return True
    known = store.person_by_login(grant.login)
    return known is not None and known.id == grant.person and known.structure != leaving.id
