"""Signing in: a password and a second factor, sessions, and patience with wrong tries."""

import base64
import datetime as dt
import functools
import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from typing import TypeVar

import msgspec
import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from releve.flow.server.id_token import sealed
from releve.flow.server.ports import Attempts, NewSecret, Person, Session, Store, Structure, Unit
from releve.model.access import Grant, Role

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
RECOVERY_CODES = 8
_FREE_TRIES = 5  # of one login from one address
# By the first word of a key. A practice shares one address; who tries codes has the password already.
_MORE_FREE_TRIES = {"address": 30, "second": 10}
_LONGEST_WAIT = dt.timedelta(minutes=15)
_QUICK_TRIES = 10  # of one login from all addresses together, before its answers become slower
_SLOWEST_SECONDS = 5.0
_FIRST_WITHIN = dt.timedelta(minutes=2)  # its password is hashed in a second
MOST_BEGUN = 60  # from one address: a whole practice that comes in the morning
_BEGUN_WITHIN = dt.timedelta(minutes=3)
TRIES_KEPT = dt.timedelta(days=1)  # after their last wait, before they are forgotten
LIVES = {
    "password": dt.timedelta(minutes=10),
    "enrol": dt.timedelta(minutes=30),
    "full": dt.timedelta(hours=12),  # one shift
}
BREAK_GLASS_LIFE = dt.timedelta(hours=4)  # of a full session: a way in, not a way to stay
_T = TypeVar("_T")
hasher = PasswordHasher()  # argon2id, 64 MiB, t=3, p=4; an older hash keeps the cost it was made at


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A new session; `secret` goes into the cookie, only its digest is kept."""

    secret: str
    session: Session


class TooManyTries(Exception):  # noqa: N818  # a control value of this module
    def __init__(self, until: dt.datetime) -> None:
        super().__init__("too many tries")
        self.until = until


class SheetRevoked(Exception):  # noqa: N818  # a control value of this module
    """A printed code was good a moment ago; its sheet is worth nothing any more."""


class WayEnded(Exception):  # noqa: N818  # a control value of this module
    """What was shown was good a moment ago: password, session or linked account ended meanwhile."""


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def check_tries(store: Store, keys: tuple[str, ...], now: dt.datetime) -> None:
    """Raises TooManyTries while one of the keys has to wait. A look: it reserves nothing."""
    for key in keys:
        attempts = store.attempts(key)
        if attempts is not None and _waits(key, attempts, now):
            raise TooManyTries(attempts.until)


def tried(
    store: Store, keys: tuple[str, ...], now: dt.datetime, check: Callable[[], _T | None]
) -> _T | None:
    """What the check finds; it is counted as wrong before it is made, and given back if it was right.

    So tries at the same time are not more tries. One that ends in an error stays counted.

    Raises: TooManyTries: nothing is checked.
    """
    taken = count_try(store, keys, now)
    found = check()
    if found is not None:
        _give_back(store, taken, now)
    return found


def count_try(store: Store, keys: tuple[str, ...], now: dt.datetime) -> dict[str, dt.datetime]:
    """One more wrong try of each key, in one transaction; until when each has to wait then.

    After the free tries each one doubles the wait, up to a quarter of an hour.

    Raises: TooManyTries, and counts none, while one of the keys has to wait.
    """
    waits: dict[str, dt.datetime] = {}

    def count(key: str, old: Attempts) -> Attempts:
        if _waits(key, old, now):
            raise TooManyTries(old.until)
        over = old.count + 1 - _free(key)
        wait = min(_LONGEST_WAIT, dt.timedelta(seconds=5 * 2 ** min(over, 10)))
        waits[key] = now + wait if over >= 0 else now
        return Attempts(count=old.count + 1, until=waits[key])

    store.step_attempts(keys, now, count)
    return waits


def _give_back(store: Store, taken: dict[str, dt.datetime], now: dt.datetime) -> None:
    """What one right try reserved; others that were counted meanwhile stay."""

    def back(key: str, old: Attempts) -> Attempts | None:
        count = old.count - 1
        waits = count >= _free(key) and old.until != taken[key]
        return Attempts(count=count, until=old.until if waits else now) if count > 0 else None

    store.step_attempts(tuple(taken), now, back)


def _waits(key: str, attempts: Attempts, now: dt.datetime) -> bool:
    """Never while tries are free: another that came at the same moment may have counted first."""
    return attempts.count >= _free(key) and attempts.until > now


def _free(key: str) -> int:
    return _MORE_FREE_TRIES.get(key.partition(":")[0], _FREE_TRIES)


def try_keys(login: str, address: str) -> tuple[str, ...]:
    """What a wrong try counts against. Never the login alone: a stranger could lock its owner out.

    Of IPv6 the /64 counts: whoever has one address there has them all.
    """
    place = _place(address)
    return (f"pair:{_hidden(login)}@{place}", f"address:{place}")


def second_key(login: str) -> str:
    """Counts wrong codes from everywhere: only who has the password can lock this."""
    return f"second:{_hidden(login)}"


def slowness(store: Store, login: str, now: dt.datetime) -> float:
    """Seconds that an answer to this login is held back, right or wrong, wherever it comes from.

    Tries from many addresses make answers slower, and lock nobody out.
    """
    tries = store.attempts(_everywhere(login))
    over = tries.count - _QUICK_TRIES if tries is not None and tries.until > now else -1
    return min(_SLOWEST_SECONDS, 0.25 * 2 ** min(over, 10)) if over >= 0 else 0.0


def count_slow(store: Store, login: str, now: dt.datetime) -> None:
    """One more wrong try at this login; a quarter of an hour without any starts from none."""

    def count(_: str, old: Attempts) -> Attempts:
        so_far = old.count if old.until > now else 0
        return Attempts(count=so_far + 1, until=now + _LONGEST_WAIT)

    store.step_attempts((_everywhere(login),), now, count)


def count_begun(store: Store, key: str, now: dt.datetime) -> None:
    """One more sign-in begun, which is kept before anybody is known. Raises: TooManyTries.

    Right ones count too: so that the table is bounded, whoever asks.
    """

    def count(_: str, begun: Attempts) -> Attempts:
        if begun.until <= now:
            begun = Attempts(count=0, until=now + _BEGUN_WITHIN)
        if begun.count >= MOST_BEGUN:
            raise TooManyTries(begun.until)
        return Attempts(count=begun.count + 1, until=begun.until)

    store.step_attempts((f"begun:{key}",), now, count)


def may_be_first(store: Store, now: dt.datetime) -> bool:
    """Whether this one may make the first person: of those who ask at the same moment, one may.

    One that was killed then hinders nobody for longer than two minutes.
    """

    def claim(_: str, claimed: Attempts) -> Attempts:
        if claimed.count and claimed.until > now:
            raise TooManyTries(claimed.until)
        return Attempts(count=1, until=now + _FIRST_WITHIN)

    try:
        store.step_attempts(("first",), now, claim)
    except TooManyTries:
        return False
    return not store.has_people()


def forgive(store: Store, login: str, address: str) -> None:
    """Signed in: this login's wrong tries from here, and from everywhere, count no more."""
    for key in (try_keys(login, address)[0], second_key(login), _everywhere(login)):
        store.put_attempts(key, None)


def try_password(
    store: Store, login: str, password: str, keys: tuple[str, ...], now: dt.datetime
) -> Person | None:
    """As `tried`. Slow on purpose (argon2id): call it in a thread, a few at a time.

    Raises: TooManyTries.
    """
    person = tried(store, keys, now, lambda: check_password(store, login, password))
    if person is None:
        count_slow(store, login, now)
    return person


def _everywhere(login: str) -> str:
    return f"everywhere:{_hidden(login)}"


def _hidden(login: str) -> str:
    """Of one length, and unread: people type their password into the wrong field."""
    return digest(login.strip().lower())[:32]


def _place(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)


def enters_otherwise(store: Store, person: Person, *, linked: bool = True) -> bool:
    """Without a phone, by a passkey or (`linked`) an account elsewhere: a password alone sets up none.

    Else who learnt it would show a phone of their own, and be in.
    """
    if person.totp_confirmed:
        return False
    with store.unit(person.structure, writes=False) as unit:
        return bool(unit.passkeys_of(person.id) or (linked and unit.identities(person=person.id)))


def create_person(
    store: Store,
    structure: Structure,
    login: str,
    password: str,
    identity: str,
    now: dt.datetime,
    *,
    role: Role = Role.LEAD,
    actor: str = "",
) -> Person | None:
    """Somebody whose second factor is still to be shown; None when the login is taken.

    `actor`: who makes the account; empty for a person who makes the own one.
    """
    if store.person_by_login(login) is not None:
        return None
    person = Person(
        id=identity,
        structure=structure.id,
        login=login.strip().lower(),
        password_hash=hasher.hash(password),
        totp_secret=pyotp.random_base32(),
        created_at=now,
    )
    with store.unit(structure.id) as unit:
        unit.put_person(person)
        unit.put_grant(
            Grant(person=identity, login=person.login, role=role, is_home=True, by=actor, at=now)
        )
        unit.record(now, actor or person.login, f"person/{person.id}", "create", role.value)
    return person


def check_password(store: Store, login: str, password: str) -> Person | None:
    """Slow on purpose (argon2id): call it in a thread, a few at a time."""
    person = store.person_by_login(login.strip())
    try:
        hasher.verify(person.password_hash if person else _nobody(), password)
    except (Argon2Error, InvalidHashError):
        return None
    return person


@functools.cache
def _nobody() -> str:
    """Checked for a login that nobody has, so that both answers take as long."""
    return hasher.hash("nobody")


def open_session(
    store: Store,
    person: Person,
    stage: str,
    new_secret: NewSecret,
    now: dt.datetime,
    *,
    by: str = "password",
    provider: str = "",
    sid: str = "",
    id_token: str = "",
    sheet: str = "",
    before: str = "",
) -> SignedIn:
    """`by`: what was shown: "password" (and second factor), "passkey", "break_glass", "identity".

    `provider`, `sid`, `id_token`: of "identity", who vouched, a digest of the session there, by what.
    `sheet`: of "break_glass", the one of the code. `before`: secret of the session that it takes the
    place of: the stage before. `person`: as known when that was shown.

    Raises: SheetRevoked, WayEnded.
    """
    secret = base64.urlsafe_b64encode(new_secret()).decode().rstrip("=")
    session = Session(
        structure=person.structure,
        person=person.id,
        login=person.login,
        stage=stage,
        csrf=new_secret().hex(),
        created_at=now,
        expires_at=now + (BREAK_GLASS_LIFE if by == "break_glass" else LIVES[stage]),
        seen_at=now,
        by=by,
        provider=provider,
        sid=sid,
        id_token=sealed(id_token, secret),
    )
    with store.unit(person.structure) as unit:
        _check_still_good(unit, person, provider, before)
        if sheet:
            unit.hold()  # who revokes it holds it too: either sees the other
            if any(code.sheet == sheet and code.revoked_at for code in unit.break_glass()):
                raise SheetRevoked
        unit.put_session(digest(secret), session)
        if stage == "full":
            unit.record(now, person.login, "console", "sign_in", f"{by} {provider}".strip())
    return SignedIn(secret=secret, session=session)


def _check_still_good(unit: Unit, person: Person, provider: str, before: str) -> None:
    """Who ends a way in changes it first and ends its sessions then: either sees the other.

    Raises: WayEnded.
    """
    kept = unit.person(person.id, lock=True)
    if kept is None or kept.password_hash != person.password_hash:
        raise WayEnded
    if provider:
        unit.hold()
        if not any(link.provider == provider for link in unit.identities(person=person.id)):
            raise WayEnded
    if before and not unit.drop_session(digest(before)):
        raise WayEnded


def session_of(store: Store, secret: str, now: dt.datetime) -> Session | None:
    session = store.session(digest(secret)) if secret else None
    return session if session is not None and session.expires_at > now else None


def is_open(unit: Unit, session: Session) -> bool:
    """Whether it was not ended meanwhile. Its person is to be locked first: who ends it locks too."""
    return any(own == session for _, own in unit.sessions_of(session.person))


def close_session(store: Store, secret: str, session: Session, now: dt.datetime) -> None:
    with store.unit(session.structure) as unit:
        unit.drop_session(digest(secret))
        unit.record(now, session.login, "console", "sign_out")


def check_second(store: Store, session: Session, code: str, now: dt.datetime) -> Person | None:
    """The person when the code is right, and was not used before: TOTP, or a recovery code."""
    words = typed(code)
    with store.unit(session.structure) as unit:
        person = unit.person(session.person, lock=True)
        if person is None:
            return None
        checked = with_totp(person, words, now) or _without_recovery(person, words)
        if checked is not None:
            unit.put_person(checked)
            if len(checked.recovery_hashes) < len(person.recovery_hashes):
                left = f"{len(checked.recovery_hashes)}/{RECOVERY_CODES}"
                unit.record(now, person.login, f"person/{person.id}", "use_recovery_code", left)
    return checked


def confirm_second(
    store: Store, session: Session, code: str, new_secret: NewSecret, now: dt.datetime
) -> tuple[Person, tuple[str, ...]] | None:
    """The second factor shown to work: the person, and recovery codes that are told this once."""
    with store.unit(session.structure) as unit:
        person = unit.person(session.person, lock=True)
        if person is None or person.totp_confirmed:
            return None
        checked = with_totp(person, code.replace(" ", ""), now)
        if checked is None:
            return None
        codes, hashes = new_recovery_codes(new_secret)
        checked = msgspec.structs.replace(checked, totp_confirmed=True, recovery_hashes=hashes)
        unit.put_person(checked)
        unit.record(now, person.login, f"person/{person.id}", "confirm_second_factor")
    return checked, codes


def new_recovery_codes(new_secret: NewSecret) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The codes, to be told once, and what is kept of them."""
    codes = tuple(code_of(new_secret()) for _ in range(RECOVERY_CODES))
    return codes, tuple(digest(typed(c)) for c in codes)


def with_totp(person: Person, code: str, now: dt.datetime) -> Person | None:
    """The person with the code used up; None when it is wrong, or no newer than the last one."""
    totp = pyotp.TOTP(person.totp_secret)
    step = int(now.timestamp()) // totp.interval
    for near in (step - 1, step, step + 1):  # clocks of phones are a little off
        right = hmac.compare_digest(totp.generate_otp(near).encode(), code.encode())
        if right and near > person.totp_last_step:
            return msgspec.structs.replace(person, totp_last_step=near)
    return None


def _without_recovery(person: Person, code: str) -> Person | None:
    used = digest(code)
    left = tuple(h for h in person.recovery_hashes if not hmac.compare_digest(h, used))
    if len(left) == len(person.recovery_hashes):
        return None
    return msgspec.structs.replace(person, recovery_hashes=left)


def typed(code: str) -> str:
    """A code as it is kept the digest of, however it was typed."""
    return code.replace(" ", "").replace("-", "").lower()


def code_of(secret: bytes) -> str:
    """80 bits that a person can type."""
    letters = base64.b32encode(secret[:10]).decode().lower()
    return "-".join(letters[n : n + 4] for n in range(0, 16, 4))
