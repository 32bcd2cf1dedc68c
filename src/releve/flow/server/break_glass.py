"""Printed codes that open a full session once, with no phone, no passkey and no Internet.

Each use is loud: in the audit trail, and on the first page of everybody of the structure until
somebody who came in another way says that they know.
"""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.flow.server import sessions, signin
from releve.flow.server.ports import BreakGlassCode, NewSecret, Person, Session, Store, Unit

CODES = 6


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """A code that was good. Its session opens only as long as its sheet is not revoked."""

    person: Person
    sheet: str


def new_codes(new: NewSecret) -> tuple[str, ...]:
    return tuple(signin.code_of(new()) for _ in range(CODES))


def keep(
    store: Store,
    person: Person,
    sheet: str,
    codes: Sequence[str],
    *,
    actor: str,
    now: dt.datetime,
) -> None:
    """Digests of a sheet's codes; codes of earlier sheets stay good until revoked."""
    with store.unit(person.structure) as unit:
        for code in codes:
            kept = BreakGlassCode(
                hash=signin.digest(signin.typed(code)),
                sheet=sheet,
                person=person.id,
                login=person.login,
                made_at=now,
            )
            unit.put_break_glass(kept)
        object_, detail = f"break_glass/{sheet}", f"{len(codes)} codes, {person.login}"
        unit.record(now, actor, object_, "make", detail)


def revoke(store: Store, structure: str, sheet: str, *, actor: str, now: dt.datetime) -> int | None:
    """How many codes are worth nothing from now on; None when there is no such sheet.

    Sessions that printed codes opened for the same person end too, wherever they act.
    """
    with store.unit(structure) as unit:
        unit.hold()  # a code that is used now must not go with those that were not
        own = [code for code in unit.break_glass() if code.sheet == sheet]
        if not own:
            return None
        unused = [code for code in own if code.used_at is None]
        for code in unused:
            unit.drop_break_glass(code.hash)
        for code in own:
            if code.used_at is not None:
                # Its session may not be there yet: who opens it will see this.
                unit.put_break_glass(msgspec.structs.replace(code, revoked_at=now))
        unit.record(now, actor, f"break_glass/{sheet}", "revoke", str(len(unused)))
    person = own[0].person
    sessions.end_where(store, person, structure, lambda _, session: session.by == "break_glass")
    return len(unused)


def try_code(
    store: Store, login: str, code: str, keys: tuple[str, ...], address: str, now: dt.datetime
) -> Used | None:
    """Whose code it is, once per code; a wrong one counts as a wrong password does. Raises: TooManyTries."""

    def check() -> Used | None:
        person = store.person_by_login(login.strip())
        sheet = _use(store, person, code, address, now) if person is not None else ""
        return Used(person=person, sheet=sheet) if person is not None and sheet else None

    used = signin.tried(store, keys, now, check)
    if used is None:
        signin.count_slow(store, login, now)
    return used


def _use(store: Store, person: Person, code: str, address: str, now: dt.datetime) -> str:
    """Its sheet; empty when it is worth nothing."""
    wanted = signin.digest(signin.typed(code))
    with store.unit(person.structure) as unit:
        unit.hold()
        found = next((c for c in unit.break_glass() if c.hash == wanted), None)
        if found is None or found.person != person.id:
            return ""
        used = msgspec.structs.replace(found, used_at=now, used_from=address)
        if not unit.use_break_glass(used):
            return ""
        left = sum(c.used_at is None and c.person == person.id for c in unit.break_glass())
        detail = f"{address}, {left}/{CODES} codes"
        unit.record(now, person.login, f"break_glass/{found.sheet}", "BREAK_GLASS_USED", detail)
    return found.sheet


def acknowledge(unit: Unit, session: Session, now: dt.datetime) -> bool:
    """Somebody knows of every use so far; False to whoever came in by such a code."""
    if session.by == "break_glass":
        return False
    know(unit, session.login, actor=session.login, now=now)
    return True


def know(unit: Unit, name: str, *, actor: str, now: dt.datetime) -> list[BreakGlassCode]:
    """The uses that nobody knew of, now known to `name`: also who that is, where another one says so."""
    unit.hold()
    uses = unit.break_glass_unseen()
    for code in uses:
        unit.put_break_glass(msgspec.structs.replace(code, seen_at=now, seen_by=name))
        told = code.login if name == actor else f"{code.login}: {name}"
        unit.record(now, actor, f"break_glass/{code.sheet}", "acknowledge_use", told)
    return uses
