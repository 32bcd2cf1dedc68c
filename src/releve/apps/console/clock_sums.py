"""Legal clocks of all structures that somebody answers for: where one runs, without going in."""

import datetime as dt

import msgspec

from releve.flow.server import access
from releve.flow.server.ports import Session, Store
from releve.model.access import Role, Verb
from releve.model.situation import Situation

MOST = 100  # rows of a page; nobody reads further


class ClockSum(msgspec.Struct, frozen=True, kw_only=True):
    """`sums`: None while the structure was never summed up."""

    id: str
    name: str
    is_here: bool
    sums: Situation | None

    @property
    def is_quiet(self) -> bool:
        return self.sums is not None and not (self.sums.clocks or self.sums.undeclared)


class ClockSums(msgspec.Struct, frozen=True, kw_only=True):
    """`rows`: where something runs or is to be said, the most urgent first; `quiet`: by name."""

    rows: tuple[ClockSum, ...]
    more: int
    quiet: tuple[ClockSum, ...]
    more_quiet: int


def clock_sums(store: Store, session: Session, now: dt.datetime) -> ClockSums | None:
    """Only of structures whose clocks the person may read by a grant in force; None where there is none.

    Figures alone: what they are of is read inside, where an operator gives a reason.
    """
    names = {one.id: one.name for one in store.structures()}
    roles = _roles(store, session)
    summed = {one.structure: one for _, one in store.situations_of(session.person)}
    found = [
        ClockSum(
            id=at,
            name=names[at],
            is_here=at == session.structure,
            sums=summed[at] if at in summed else _sums(store, at),
        )
        for at, role in roles.items()
        if at in names and access.may(role, Verb.SEE_DUTIES)
    ]
    if not found:
        return None
    loud = sorted((one for one in found if not one.is_quiet), key=lambda one: _turn(one, now))
    quiet = sorted((one for one in found if one.is_quiet), key=lambda one: one.name.casefold())
    return ClockSums(
        rows=tuple(loud[:MOST]),
        more=max(len(loud) - MOST, 0),
        quiet=tuple(quiet[:MOST]),
        more_quiet=max(len(quiet) - MOST, 0),
    )


def _roles(store: Store, session: Session) -> dict[str, Role | None]:
    """At home too, where people of before have no row."""
    home = session.home or session.structure
    roles: dict[str, Role | None] = {at: g.role for at, g in store.grants_of(session.person)}
    if home not in roles:
        with store.unit(home, writes=False) as unit:
            roles[home] = access.role_in(unit, session.person)
    return roles


def _sums(store: Store, structure: str) -> Situation | None:
    with store.unit(structure, writes=False) as unit:
        return unit.situation()


def _turn(one: ClockSum, now: dt.datetime) -> tuple[bool, bool, float, bool, str]:
    """Late ones, then without delay, then the next end, then what nobody declared."""
    sums = one.sums or Situation(structure=one.id)
    left = (sums.clock_next - now).total_seconds() if sums.clock_next else float("inf")
    name = one.name.casefold()
    return not sums.clocks_late, not sums.clocks_at_once, left, not sums.undeclared, name
