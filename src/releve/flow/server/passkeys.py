"""Passkeys: what a browser is asked to sign, and whether what it signed opens the console.

A passkey stands for both factors: the authenticator has checked who holds it (user verification), and
gives it only to the address it was made for. What is asked is asked once, of one browser, for minutes.
"""

import datetime as dt
import ipaddress
from urllib.parse import urlsplit

import msgspec
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    parse_authentication_credential_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from releve.flow.server.ports import NewSecret, Passkey, Person, Session, Store
from releve.flow.server.signin import digest, is_open

MOST = 10  # of one person
ASKED_FOR = dt.timedelta(minutes=3)
_MINUTE_MS = 60_000
_REQUIRED = UserVerificationRequirement.REQUIRED
# Of the library for what it cannot read, base64 and text included.
_UNREADABLE = (WebAuthnException, ValueError)


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """For whom passkeys are made: `host` is the relying party's id, `origin` the pages' own."""

    host: str
    origin: str


class Refused(Exception):  # noqa: N818  # a control value of this module
    """`why`: "passkey" (not signed as asked), "cloned", "known", "many", "last", "break_glass"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def site_of(url: str) -> Site | None:
    """Of the server's own address; loopback is "localhost". None for a bare address: browsers refuse it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    else:
        if not is_loopback:
            return None
        host = "localhost"
    port = f":{parts.port}" if parts.port else ""
    return Site(host=host, origin=f"{parts.scheme}://{host}{port}")


def credential_digest(credential: bytes) -> str:
    return digest(credential.hex())


def ask_to_add(
    store: Store, site: Site, session: Session, secret: str, new: NewSecret, now: dt.datetime
) -> str:
    """What the browser is to make a passkey from, as JSON; `secret`: of the session."""
    with store.unit(session.structure, writes=False) as unit:
        known = unit.passkeys_of(session.person)
    challenge = new()
    store.put_challenge(_key("add", secret), challenge, now + ASKED_FOR)
    options = generate_registration_options(
        rp_id=site.host,
        rp_name="Relève",
        user_name=session.login,
        user_id=session.person.encode(),
        challenge=challenge,
        timeout=_MINUTE_MS * 2,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=key.credential) for key in known],
    )
    return options_to_json(options)


def add(
    store: Store, site: Site, session: Session, secret: str, said: str, name: str, now: dt.datetime
) -> Passkey:
    """Keep what the browser made. Raises: Refused."""
    if session.by == "break_glass":
        raise Refused("break_glass")
    challenge = store.take_challenge(_key("add", secret), now)
    if challenge is None:
        raise Refused("passkey")
    try:
        credential = parse_registration_credential_json(said)
        checked = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _UNREADABLE as error:
        raise Refused("passkey") from error
    made = Passkey(
        id=credential_digest(checked.credential_id),
        person=session.person,
        credential=checked.credential_id,
        public_key=checked.credential_public_key,
        sign_count=checked.sign_count,
        transports=tuple(way.value for way in credential.response.transports or ()),
        name=name.strip()[:60],
        made_at=now,
    )
    with store.unit(session.structure) as unit:
        unit.person(session.person, lock=True)  # two that are added at once are counted
        if not is_open(unit, session):
            raise Refused("passkey")
        if len(unit.passkeys_of(session.person)) >= MOST:
            raise Refused("many")
        if not unit.add_passkey(made):
            raise Refused("known")
        unit.record(now, session.login, f"passkey/{made.id}", "add", made.name)
    return made


def remove(store: Store, session: Session, identity: str, now: dt.datetime) -> bool:
    """False when the person has no such passkey. Raises: Refused when it is the last way in."""
    with store.unit(session.structure) as unit:
        person = unit.person(session.person, lock=True)
        own = unit.passkeys_of(session.person)
        found = next((key for key in own if key.id == identity), None)
        if found is None or person is None:
            return False
        if len(own) == 1 and not person.totp_confirmed:
            raise Refused("last")
        unit.drop_passkey(identity)
        unit.record(now, session.login, f"passkey/{identity}", "remove", found.name)
    return True


def ask_to_enter(store: Store, site: Site, secret: str, new: NewSecret, now: dt.datetime) -> str:
    """What the browser is to sign, as JSON; `secret`: in a cookie of this browser only."""
    challenge = new()
    store.put_challenge(_key("enter", secret), challenge, now + ASKED_FOR)
    options = generate_authentication_options(
        rp_id=site.host,
        challenge=challenge,
        timeout=_MINUTE_MS * 2,
        user_verification=_REQUIRED,
    )
    return options_to_json(options)


def check(store: Store, site: Site, secret: str, said: str, now: dt.datetime) -> Person:
    """Whose passkey signed what this browser was asked to sign. Raises: Refused."""
    challenge = store.take_challenge(_key("enter", secret), now)
    if challenge is None:
        raise Refused("passkey")
    try:
        credential = parse_authentication_credential_json(said)
        identity = credential_digest(credential.raw_id)
    except _UNREADABLE as error:
        raise Refused("passkey") from error
    structure = store.structure_of_passkey(identity)
    if structure is None:
        raise Refused("passkey")
    with store.unit(structure) as unit:
        key = unit.passkey(identity, lock=True)
        person = unit.person(key.person) if key is not None else None
        if key is None or person is None:
            raise Refused("passkey")
        try:
            checked = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
                credential_public_key=key.public_key,
                credential_current_sign_count=0,  # compared below: one that goes back is recorded
                require_user_verification=True,
            )
        except _UNREADABLE as error:
            raise Refused("passkey") from error
        handle = credential.response.user_handle
        if handle is not None and handle != person.id.encode():
            raise Refused("passkey")
        count = checked.new_sign_count
        is_cloned = count <= key.sign_count and (count or key.sign_count) > 0
        if is_cloned:
            counts = f"{count} after {key.sign_count}"
            unit.record(now, person.login, f"passkey/{key.id}", "counter_went_back", counts)
        else:
            unit.put_passkey(msgspec.structs.replace(key, sign_count=count, used_at=now))
    if is_cloned:
        raise Refused("cloned")
    return person


def _key(purpose: str, secret: str) -> str:
    return digest(f"{purpose}:{secret}")
