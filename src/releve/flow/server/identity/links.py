"""Whose account at a provider is whose here: linked by its owner, or invited; never guessed by e-mail."""

import datetime as dt

import msgspec

from releve.flow.server import sessions
from releve.flow.server.identity.entering import Refused
from releve.flow.server.identity.tokens import account_digest, invite_digest, session_digest
from releve.flow.server.ports import Person, Session, Store, Unit
from releve.flow.server.signin import is_open
from releve.model.identity import IdentityInvite, IdentityLink, Provider, Vouched

INVITED_FOR = dt.timedelta(days=7)
OWN_MEANS = ("password", "passkey")  # what a session was opened by, to link an account


def offered(store: Store) -> list[Provider]:
    """Those that the sign-in page names: one of a structure only where no other could read it."""
    alone = len(store.structures()) == 1
    return [one for one in store.providers() if not one.structure or alone]


def open_to(store: Store, session: Session) -> list[Provider]:
    """Those that the people of the session's structure may sign in by."""
    return [one for one in store.providers() if one.structure in ("", session.structure)]


def provider_named(store: Store, name: str) -> Provider | None:
    return next((one for one in store.providers() if one.name == name), None)


def person_of(store: Store, provider: Provider, vouched: Vouched, now: dt.datetime) -> Person:
    """Who has linked this account, or was invited to. Raises: Refused."""
    identity = account_digest(provider, vouched.subject)
    structure = store.structure_of_identity(identity)
    if structure is None and vouched.email:
        structure = _take_in(store, provider, vouched, now)
    if structure is None or provider.structure not in ("", structure):
        raise Refused("identity_unknown")
    with store.unit(structure) as unit:
        link = unit.identity(identity, lock=True)  # else one that is taken away now would come back
        person = unit.person(link.person) if link is not None else None
        if link is None or person is None:
            raise Refused("identity_unknown")
        unit.put_identity(msgspec.structs.replace(link, used_at=now))
    return person


def add(
    store: Store, provider: Provider, vouched: Vouched, session: Session, now: dt.datetime
) -> None:
    """Link for who signed in here by own means. Raises: Refused."""
    check_may_link(provider, session)
    with store.unit(session.structure) as unit:
        unit.person(session.person, lock=True)
        if not is_open(unit, session):
            raise Refused("identity")
        if not _add(unit, provider, vouched, session.person, now):
            raise Refused("taken")
        unit.record(now, session.login, f"identity/{provider.name}", "link")


def check_may_link(provider: Provider, session: Session) -> None:
    """Raises: Refused."""
    if session.by not in OWN_MEANS:
        raise Refused("own_means")
    if provider.structure not in ("", session.structure):
        raise Refused("not_open")


def remove(unit: Unit, session: Session, identity: str, now: dt.datetime) -> bool:
    """False when the person has no such link. Raises: Refused when it is the last way in."""
    # The person is locked: two ways in that go at once could both not be the last one.
    person, link = unit.person(session.person, lock=True), unit.identity(identity)
    if link is None or person is None or link.person != person.id:
        return False
    if not person.totp_confirmed and not unit.passkeys_of(person.id):
        raise Refused("last")
    unit.drop_identity(identity)
    unit.record(now, session.login, f"identity/{link.provider}", "unlink")
    return True


def invite(
    store: Store, provider: Provider, person: Person, email: str, *, actor: str, now: dt.datetime
) -> dt.datetime:
    """Until when whoever shows this verified e-mail at the provider, once, is that person."""
    until = now + INVITED_FOR
    made = IdentityInvite(
        id=invite_digest(provider, email),
        provider=provider.name,
        person=person.id,
        login=person.login,
        until=until,
    )
    with store.unit(person.structure) as unit:
        unit.put_invite(made)
        unit.record(now, actor, f"identity/{provider.name}", "invite", person.login)
    return until


def end_sessions(store: Store, provider: Provider, vouched: Vouched, now: dt.datetime) -> int:
    """Who signed out at the provider is signed out here: how many sessions that it opened ended."""
    identity = account_digest(provider, vouched.subject)
    structure = store.structure_of_identity(identity)
    if structure is None:
        return 0
    with store.unit(structure, writes=False) as unit:
        link = unit.identity(identity)
        person = unit.person(link.person) if link is not None else None
    if person is None:
        return 0
    sid = session_digest(provider, vouched.session)
    ended = _end_of(store, provider, person.id, structure, sid)
    with store.unit(structure) as unit:
        unit.record(now, person.login, f"identity/{provider.name}", "sign_out_there", str(ended))
    return ended


def forget_provider(store: Store, provider: Provider, *, actor: str, now: dt.datetime) -> None:
    """Its links, invitations and sessions end with it."""
    store.drop_provider(provider.name)  # first: nobody comes in while the rest goes
    for structure in _concerned(store, provider):
        with store.unit(structure) as unit:
            links = unit.identities(provider=provider.name)
            for link in links:
                unit.drop_identity(link.id)
            unit.drop_invites(provider.name)
            detail = f"{provider.issuer}, {len(links)} comptes / accounts"
            unit.record(now, actor, f"identity/{provider.name}", "remove", detail)
        for link in links:
            _end_of(store, provider, link.person, structure, "")


def keep_provider(
    store: Store, provider: Provider, *, actor: str, now: dt.datetime, verb: str = "add"
) -> None:
    """Told to every structure whose people it concerns."""
    store.put_provider(provider)
    for structure in _concerned(store, provider):
        with store.unit(structure) as unit:
            unit.record(now, actor, f"identity/{provider.name}", verb, provider.issuer)


def _concerned(store: Store, provider: Provider) -> list[str]:
    if provider.structure:
        return [provider.structure]
    return [structure.id for structure in store.structures()]


def _take_in(store: Store, provider: Provider, vouched: Vouched, now: dt.datetime) -> str | None:
    """The structure of the person whom an administrator invited under this e-mail."""
    wanted = invite_digest(provider, vouched.email)
    structure = store.structure_of_invite(wanted)
    if structure is None:
        return None
    with store.unit(structure) as unit:
        invited = unit.take_invite(wanted, now)
        if invited is None or not _add(unit, provider, vouched, invited.person, now):
            return None
        unit.record(now, invited.login, f"identity/{provider.name}", "link", "invited")
    return structure


def _add(unit: Unit, provider: Provider, vouched: Vouched, person: str, now: dt.datetime) -> bool:
    identity = account_digest(provider, vouched.subject)
    made = IdentityLink(id=identity, provider=provider.name, person=person, made_at=now)
    return unit.add_identity(made)


def _end_of(store: Store, provider: Provider, person: str, home: str, sid: str) -> int:
    """`sid`: of one session there; empty: all of them."""

    def is_meant(_: str, session: Session) -> bool:
        return session.provider == provider.name and sid in ("", session.sid)

    return sessions.end_where(store, person, home, is_meant)
