"""Password, phone and recovery codes of one person, changed by the person or by who runs the server."""

import base64
import datetime as dt
import hmac

import msgspec
import pyotp

from releve.flow.server import sessions
from releve.flow.server.ports import NewSecret, Person, Session, Store, Unit
from releve.flow.server.signin import digest, hasher, new_recovery_codes, with_totp

_PENDING = b"releve second factor to come"
_SHOWN = b"releve password shown"
_TOTP_BYTES = 20  # RFC 4226: a key as long as SHA-1's output
_changed = msgspec.structs.replace


def change_password(
    store: Store, session: Session, secret: str, shown: Person, password: str, now: dt.datetime
) -> bool:
    """The password from now on; every other session of the person ends. Slow on purpose (argon2id).

    `secret`: of the session that asks. `shown`: the person whose old password was just checked.
    False: it was changed meanwhile.
    """
    new = hasher.hash(password)
    with store.unit(session.structure) as unit:
        person = _as_shown(unit, shown)
        if person is None:
            return False
        unit.put_person(_with_password(person, new))
        unit.record(now, session.login, f"person/{person.id}", "change_password")
    this = digest(secret)
    sessions.end_where(store, shown.id, shown.structure, lambda hash_, _: hash_ != this)
    return True


def renew_codes(
    unit: Unit, session: Session, shown: Person, new_secret: NewSecret, now: dt.datetime
) -> tuple[str, ...]:
    """Fresh recovery codes, told this once, in place of the old ones; none as `change_password`."""
    person = _as_shown(unit, shown)
    if person is None or not person.totp_confirmed:
        return ()
    codes, hashes = new_recovery_codes(new_secret)
    unit.put_person(_changed(person, recovery_hashes=hashes))
    unit.record(now, session.login, f"person/{person.id}", "renew_recovery_codes")
    return codes


def pending_totp(person: Person, secret: str) -> str:
    """The key that another phone is shown, to who has shown the password: none is kept before it works.

    It follows from the session and from what the person enters by now. So who has only the session's
    secret does not know it, and the next change has another key.
    """
    key = _bound(_PENDING, person, secret)
    return base64.b32encode(key[:_TOTP_BYTES]).decode()


def proof_of(person: Person, secret: str) -> str:
    """That the password was shown in this session; good until password or phone change."""
    return _bound(_SHOWN, person, secret).hex()


def is_proof(person: Person, secret: str, proof: str) -> bool:
    return hmac.compare_digest(proof_of(person, secret).encode(), proof.encode())


def _bound(to: bytes, person: Person, secret: str) -> bytes:
    known = f"{person.password_hash}\n{person.totp_secret}\n{secret}"
    return hmac.digest(known.encode(), to, "sha256")


def change_phone(
    unit: Unit,
    session: Session,
    secret: str,
    proof: str,
    code: str,
    new_secret: NewSecret,
    now: dt.datetime,
) -> tuple[str, ...]:
    """The pending key in place of the old one, once a code of it is right; fresh recovery codes.

    None when the code or the proof is wrong: the old phone stays.
    """
    person = unit.person(session.person, lock=True)
    if person is None or not is_proof(person, secret, proof):
        return ()
    pending = _changed(person, totp_secret=pending_totp(person, secret), totp_last_step=0)
    checked = with_totp(pending, code.replace(" ", ""), now)
    if checked is None:
        return ()
    codes, hashes = new_recovery_codes(new_secret)
    unit.put_person(_changed(checked, totp_confirmed=True, recovery_hashes=hashes))
    unit.record(now, session.login, f"person/{person.id}", "change_second_factor")
    return codes


def reset(
    store: Store, person: Person, password: str, *, second: bool, actor: str, now: dt.datetime
) -> int:
    """Let somebody in who cannot get in any more: a new password. How many sessions ended: all.

    `second`: what else let the person in goes too (phone, recovery codes, passkeys, linked accounts),
    but for printed codes; the next sign-in sets up a phone.
    """
    new = hasher.hash(password)
    with store.unit(person.structure) as unit:
        # With the rest: one that is open still could add a passkey before it ends.
        ended = len(unit.sessions_of(person.id))
        unit.drop_sessions_of(person.id)
        known = _with_password(unit.person(person.id, lock=True) or person, new)
        unit.put_person(_without_second(unit, known) if second else known)
        verb = "reset_second_factor" if second else "reset_password"
        unit.record(now, actor, f"person/{person.id}", verb, person.login)
    return ended + sessions.end_where(store, person.id, person.structure, lambda *_: True)


def _without_second(unit: Unit, person: Person) -> Person:
    for key in unit.passkeys_of(person.id):
        unit.drop_passkey(key.id)
    for link in unit.identities(person=person.id):
        unit.drop_identity(link.id)
    return _changed(
        person,
        totp_secret=pyotp.random_base32(),
        totp_confirmed=False,
        totp_last_step=0,
        recovery_hashes=(),
    )


def _with_password(person: Person, new: str) -> Person:
    """A phone that is still to be set up gets another key: who had the old password may have seen it."""
    if person.totp_confirmed:
        return _changed(person, password_hash=new)
    return _changed(person, password_hash=new, totp_secret=pyotp.random_base32())


def _as_shown(unit: Unit, shown: Person) -> Person | None:
    """The person as kept now, if the password that was checked is still theirs."""
    person = unit.person(shown.id, lock=True)
    is_same = person is not None and person.password_hash == shown.password_hash
    return person if is_same else None
