"""Holds every structure's audit trail against its signed heads, here and where they were shipped."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.flow.server import audit
from releve.flow.server.ports import Store, Structure
from releve.model.audit import AuditHead, Fault


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """One structure. `signed_to`, `shipped_to`: the last entry that such a head covers."""

    structure: str
    name: str
    entries: int
    heads: int
    signed_to: int
    signed_at: dt.datetime | None
    shipped: int | None  # heads; None: none were given to compare
    shipped_to: int
    shipped_at: dt.datetime | None
    faults: tuple[Fault, ...]


def verify(
    store: Store, keys: Sequence[bytes], shipped: Sequence[bytes] | None, name: str = ""
) -> list[Verified]:
    """Every structure, or the one of that name; `shipped` are lines of heads from elsewhere."""
    opened = None if shipped is None else [audit.open_line(line, keys) for line in shipped]
    good = None if opened is None else [head for head in opened if head is not None]
    known = [s for s in store.structures() if name in ("", s.name)]
    found = [_one(store, structure, keys, good) for structure in known]
    if opened is None or good is None or name:
        return found
    gone = {head.structure for head in good} - {s.id for s in known}
    found += [_gone(identity, good) for identity in sorted(gone)]
    return [*found, *_forged(opened)]


def verify_shipped(lines: Sequence[bytes], keys: Sequence[bytes]) -> list[Verified]:
    """Heads alone, for whoever has no access to the server: signed, in order, and none missing."""
    opened = [audit.open_line(line, keys) for line in lines]
    good = [head for head in opened if head is not None]
    found = []
    for structure in sorted({head.structure for head in good}):
        theirs = [head for head in good if head.structure == structure]
        lacks = audit.compare(theirs, theirs)
        faults = tuple(f for f in lacks if f.what != "shipped_missing")  # told as head_missing
        found.append(_nothing_of(structure, faults, theirs))
    return [*found, *_forged(opened)]


def _forged(opened: Sequence[AuditHead | None]) -> list[Verified]:
    """By their place among the lines: what such a head says of itself means nothing."""
    bad = [place for place, head in enumerate(opened, 1) if head is None]
    if not bad:
        return []
    return [_nothing_of("", (Fault(what="head_forged", first=bad[0], last=bad[-1]),))]


def _one(
    store: Store, structure: Structure, keys: Sequence[bytes], shipped: Sequence[AuditHead] | None
) -> Verified:
    with store.unit(structure.id, writes=False) as unit:
        kept = unit.audit_heads()
        opened = [audit.open_line(head.signed, keys) for head in kept]
        own = [h for h in opened if h is not None and h.structure == structure.id]
        theirs = [h for h in shipped or () if h.structure == structure.id]
        followed = audit.follow(unit.trail_after(0), (*own, *theirs))
    forged = {h.seq for h in kept} - {h.seq for h in own}
    faults = (
        *followed.faults,
        *(Fault(what="head_forged", first=seq, last=seq) for seq in sorted(forged)),
        *(f for f in audit.compare(own, theirs) if not _is_told(f, forged)),
    )
    return Verified(
        structure=structure.id,
        name=structure.name,
        entries=followed.entries,
        heads=len(own),
        signed_to=own[-1].number if own else 0,
        signed_at=own[-1].at if own else None,
        shipped=None if shipped is None else len(theirs),
        shipped_to=max((h.number for h in theirs), default=0),
        shipped_at=max((h.at for h in theirs), default=None),
        faults=faults,
    )


def _is_told(fault: Fault, forged: set[int]) -> bool:
    """A head that no key signed is told as that, not as missing as well."""
    return fault.what == "head_missing" and set(range(fault.first, fault.last + 1)) <= forged


def _gone(structure: str, shipped: Sequence[AuditHead]) -> Verified:
    theirs = [head for head in shipped if head.structure == structure]
    last = max(head.number for head in theirs)
    since = max(head.at for head in theirs)
    gone = Fault(what="structure_gone", first=1, last=last, since=since)
    return _nothing_of(structure, (gone,), theirs)


def _nothing_of(
    structure: str, faults: tuple[Fault, ...], shipped: Sequence[AuditHead] = ()
) -> Verified:
    """Of what the server says nothing."""
    return Verified(
        structure=structure,
        name="",
        entries=0,
        heads=0,
        signed_to=0,
        signed_at=None,
        shipped=len(shipped),
        shipped_to=max((h.number for h in shipped), default=0),
        shipped_at=max((h.at for h in shipped), default=None),
        faults=faults,
    )
