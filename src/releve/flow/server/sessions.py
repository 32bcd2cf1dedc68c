"""The sessions of one person, as that person sees them."""

import datetime as dt

import msgspec

from releve.flow.server.ports import Session, Unit
from releve.flow.server.signin import digest

_NAMED = 16  # letters of the digest of a session's secret: enough to name it, nothing to enter with


class OwnSession(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    session: Session
    is_this: bool


def own_sessions(unit: Unit, session: Session, secret: str, now: dt.datetime) -> list[OwnSession]:
    """Newest first. `secret`: of the session that asks."""
    this = digest(secret)
    return [
        OwnSession(name=hash_[:_NAMED], session=found, is_this=hash_ == this)
        for hash_, found in unit.sessions_of(session.person)
        if found.expires_at > now
    ]


def end(unit: Unit, session: Session, secret: str, which: str, now: dt.datetime) -> int:
    """How many ended. `which`: a name, or "others"; never the session that asks."""
    this, count = digest(secret), 0
    for hash_, _ in unit.sessions_of(session.person):
        if hash_ != this and which in ("others", hash_[:_NAMED]):
            unit.drop_session(hash_)
            count += 1
    if count:
        unit.record(now, session.login, "console", "end_sessions", f"{count} ({which})")
    return count
