"""The sessions of one person, in whatever structure they act."""

import datetime as dt
from collections.abc import Callable

import msgspec

from releve.flow.server.ports import Session, Store
from releve.flow.server.signin import digest

_NAMED = 16  # letters of the digest of a session's secret: enough to name it, nothing to enter with


class OwnSession(msgspec.Struct, frozen=True, kw_only=True):
    """`elsewhere`: the name of the structure in which it acts; empty at home."""

    name: str
    session: Session
    is_this: bool
    elsewhere: str = ""


def own_sessions(store: Store, session: Session, secret: str, now: dt.datetime) -> list[OwnSession]:
    """Newest first. `secret`: of the session that asks."""
    this, home = digest(secret), session.home or session.structure
    names = {one.id: one.name for one in store.structures()}
    found = [
        OwnSession(
            name=hash_[:_NAMED],
            session=own,
            is_this=hash_ == this,
            elsewhere="" if own.is_home else names[own.structure],
        )
        for structure in _places(store, session.person, home)
        for hash_, own in _there(store, structure, session.person)
        if own.expires_at > now
    ]
    return sorted(found, key=lambda one: one.session.created_at, reverse=True)


def end(store: Store, session: Session, secret: str, which: str, now: dt.datetime) -> int:
    """How many ended. `which`: a name, or "others"; never the session that asks."""
    this, home = digest(secret), session.home or session.structure
    count = end_where(
        store,
        session.person,
        home,
        lambda hash_, _: hash_ != this and which in ("others", hash_[:_NAMED]),
    )
    if count:
        with store.unit(home) as unit:
            unit.record(now, session.login, "console", "end_sessions", f"{count} ({which})")
    return count


def end_where(
    store: Store, person: str, home: str, is_meant: Callable[[str, Session], bool]
) -> int:
    """How many ended of those that are meant, by the digest of their secret and what they are.

    Looks until nothing is left: one may go to another structure while the others are asked.
    """
    count = 0
    while ended := sum(
        _end_in(store, structure, person, is_meant) for structure in _places(store, person, home)
    ):
        count += ended
    return count


def _end_in(
    store: Store, structure: str, person: str, is_meant: Callable[[str, Session], bool]
) -> int:
    with store.unit(structure) as unit:
        meant = [hash_ for hash_, own in unit.sessions_of(person) if is_meant(hash_, own)]
        for hash_ in meant:
            unit.drop_session(hash_)
    return len(meant)


def _there(store: Store, structure: str, person: str) -> list[tuple[str, Session]]:
    with store.unit(structure, writes=False) as unit:
        return unit.sessions_of(person)


def _places(store: Store, person: str, home: str) -> list[str]:
    """Where the person may act: at home, and wherever something is granted."""
    return [home, *sorted({at for at, _ in store.grants_of(person)} - {home})]
