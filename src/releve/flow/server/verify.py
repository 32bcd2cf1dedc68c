"""Holds every structure's audit trail against its signed heads, here and where they were shipped."""

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from releve.flow.server import audit
from releve.flow.server.certificate import Certificate, lack_of
from releve.flow.server.ports import Store, Structure, Unit
from releve.model.audit import AuditHead, CertificateLack, Fault
from releve.model.leaving import Erasure, TrailEnd


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
    left: Erasure | None = (
        None  # what a certificate says that explains why the server has none of it
    )


class _Held(msgspec.Struct, frozen=True):
    """A trail that is there, against its heads. `heads`: those of the server that a key signed."""

    followed: audit.Followed
    heads: list[AuditHead]
    faults: tuple[Fault, ...]


def verify(
    store: Store,
    keys: Sequence[bytes],
    shipped: Sequence[bytes] | None,
    name: str = "",
    certificates: Sequence[Certificate | None] = (),
) -> list[Verified]:
    """Every structure, or the one of that name; `shipped` are lines of heads from elsewhere.

    `certificates`: of structures that left, given by whoever verifies; None: no key of `keys` signed it.
    What the server itself keeps of them is not asked: whoever has its database and its key could make it.
    """
    opened = None if shipped is None else [audit.open_line(line, keys) for line in shipped]
    good = None if opened is None else [head for head in opened if head is not None]
    known = [s for s in store.structures() if name in ("", s.name)]
    found = [_one(store, structure, keys, good) for structure in known]
    if opened is None or good is None or name:
        return found
    gone = {head.structure for head in good} - {s.id for s in known}
    lines = {head: line for head, line in zip(opened, shipped or (), strict=True) if head}
    given = [one for one in certificates if one is not None]
    found += [_gone(identity, lines, given) for identity in sorted(gone)]
    return [*found, *_forged(opened), *_no_certificates(certificates)]


def end_of(unit: Unit, structure: str, keys: Sequence[bytes]) -> TrailEnd:
    """How the trail ends, for the certificate of whoever erases it."""
    held = _held(unit, structure, keys, ())
    last = held.followed.last
    return TrailEnd(
        entries=held.followed.entries,
        digest=last.digest if last else "",
        head=held.heads[-1] if held.heads else None,
        heads=audit.digest_of(held.heads),
        faults=len(held.faults),
    )


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


def _no_certificates(given: Sequence[Certificate | None]) -> list[Verified]:
    bad = [place for place, one in enumerate(given, 1) if one is None]
    faults = tuple(Fault(what="certificate_forged", first=n, last=n) for n in bad)
    return [_nothing_of("", faults)] if faults else []


def _one(
    store: Store, structure: Structure, keys: Sequence[bytes], shipped: Sequence[AuditHead] | None
) -> Verified:
    theirs = [h for h in shipped or () if h.structure == structure.id]
    with store.unit(structure.id, writes=False) as unit:
        held = _held(unit, structure.id, keys, theirs)
    own = held.heads
    return Verified(
        structure=structure.id,
        name=structure.name,
        entries=held.followed.entries,
        heads=len(own),
        signed_to=own[-1].number if own else 0,
        signed_at=own[-1].at if own else None,
        shipped=None if shipped is None else len(theirs),
        shipped_to=max((h.number for h in theirs), default=0),
        shipped_at=max((h.at for h in theirs), default=None),
        faults=held.faults,
    )


def _held(unit: Unit, structure: str, keys: Sequence[bytes], shipped: Sequence[AuditHead]) -> _Held:
    kept = unit.audit_heads()
    opened = [audit.open_line(head.signed, keys) for head in kept]
    own = [h for h in opened if h is not None and h.structure == structure]
    followed = audit.follow(unit.trail_after(0), (*own, *shipped))
    forged = {h.seq for h in kept} - {h.seq for h in own}
    faults = (
        *followed.faults,
        *(Fault(what="head_forged", first=seq, last=seq) for seq in sorted(forged)),
        *(f for f in audit.compare(own, shipped) if not _is_told(f, forged)),
    )
    return _Held(followed, own, faults)


def _is_told(fault: Fault, forged: set[int]) -> bool:
    """A head that no key signed is told as that, not as missing as well."""
    if fault.what != "head_missing" or fault.last - fault.first >= len(forged):
        return False
    return forged.issuperset(range(fault.first, fault.last + 1))


def _gone(
    structure: str, lines: Mapping[AuditHead, bytes], given: Sequence[Certificate]
) -> Verified:
    """What was shipped of it is held against itself all the same: leaving hides no gap."""
    theirs = {head: line for head, line in lines.items() if head.structure == structure}
    own = [one for one in given if one.made.structure == structure]
    lacks: dict[CertificateLack | None, Certificate] = {lack_of(one, theirs): one for one in own}
    heads = tuple(theirs)
    among = tuple(f for f in audit.compare(heads, heads) if f.what != "head_missing")
    if None in lacks:
        return _nothing_of(structure, among, heads, lacks[None].made)
    gone = Fault(
        what="structure_gone",
        first=1,
        last=max(head.number for head in theirs),
        since=max(head.at for head in theirs),
        lack=next(iter(lacks), "none"),
    )
    return _nothing_of(structure, (gone, *among), heads)


def _nothing_of(
    structure: str,
    faults: tuple[Fault, ...],
    shipped: Sequence[AuditHead] = (),
    left: Erasure | None = None,
) -> Verified:
    """Of what the server says nothing."""
    return Verified(
        structure=structure,
        name=left.name if left else "",
        entries=0,
        heads=0,
        signed_to=0,
        signed_at=None,
        shipped=len(shipped),
        shipped_to=max((h.number for h in shipped), default=0),
        shipped_at=max((h.at for h in shipped), default=None),
        faults=faults,
        left=left,
    )
