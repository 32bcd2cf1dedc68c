"""The audit trail as evidence: entries that follow, heads that are signed, and whether both agree."""

import datetime as dt
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.clock import utc_text
from releve.flow.server.ports import AuditEntry, KeptHead, Store
from releve.flow.signatures import did_sign
from releve.flow.vault.heads import read_line, write_line
from releve.model.audit import AuditHead, Fault, FaultKind
from releve.model.vault import SignedHead

_PREFIX = b"releve-audit-head-1\n"
_LAST = 2**63 - 1  # that a database can count to
_head = msgspec.json.Decoder(AuditHead).decode


class TrailBroken(Exception):  # noqa: N818 (told by the driver, no error for people)
    """The trail does not go on from the last head: nothing is signed over it any more."""


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    entries: int
    last: AuditEntry | None
    faults: tuple[Fault, ...]


def digest(entry: AuditEntry, previous: str) -> str:
    """SHA-256 over the entry and the digest of the one before it."""
    parts = (previous, entry.number, utc_text(entry.at), entry.actor, entry.object, entry.verb)
    return hashlib.sha256(msgspec.json.encode((*parts, entry.detail))).hexdigest()


def digest_of(heads: Iterable[AuditHead]) -> str:
    """SHA-256 over all heads of a structure, by `seq`: who has them all can compare."""
    ordered = sorted(heads, key=lambda head: head.seq)
    return hashlib.sha256(
        b"".join(msgspec.json.encode(head) + b"\n" for head in ordered)
    ).hexdigest()


def sign(key: Ed25519PrivateKey, head: AuditHead) -> bytes:
    """The head as one line, as it is kept and shipped."""
    body = msgspec.json.encode(head)
    return write_line(SignedHead(head=body, signature=key.sign(_PREFIX + body)))


def open_line(line: bytes, public_keys: Sequence[bytes]) -> AuditHead | None:
    """The head, None when none of these keys signed it or it is no head: its numbers cannot be."""
    try:
        signed = read_line(line)
        head = _head(signed.head)
    except msgspec.DecodeError:
        return None
    if not (1 <= head.seq <= _LAST and 1 <= head.number <= _LAST):
        return None
    message = _PREFIX + signed.head
    return head if any(did_sign(key, message, signed.signature) for key in public_keys) else None


def sign_end(store: Store, structure: str, key: Ed25519PrivateKey, now: dt.datetime) -> bool:
    """Keep a new signed head when the trail grew; what grew is checked first. Raises: TrailBroken."""
    with store.unit(structure, writes=False) as unit:
        newest, before = unit.trail(most=1), _last_head(unit.audit_heads(most=1))
        if (newest[0].number if newest else 0) == (before.number if before else 0):
            return False
        grown = follow(unit.trail_after(before.number if before else 0), (), after=before)
    if grown.faults or grown.last is None:
        raise TrailBroken
    head = AuditHead(
        structure=structure,
        seq=before.seq + 1 if before else 1,
        number=grown.last.number,
        digest=grown.last.digest,
        at=now,
    )
    kept = KeptHead(seq=head.seq, number=head.number, signed=sign(key, head))
    with store.unit(structure) as unit:
        return unit.add_audit_head(kept)


def _last_head(kept: Sequence[KeptHead]) -> AuditHead | None:
    return _head(read_line(kept[-1].signed).head) if kept else None


def follow(
    entries: Iterable[AuditEntry], heads: Sequence[AuditHead], *, after: AuditHead | None = None
) -> Followed:
    """Walk the entries from the one after `after`; hold each against the one before and the heads."""
    previous, expected = (after.digest, after.number + 1) if after else ("", 1)
    count, last, faults = 0, None, []
    signed: dict[int, list[AuditHead]] = {}
    for head in heads:
        signed.setdefault(head.number, []).append(head)
    off: list[AuditHead] = []
    for entry in entries:
        if entry.number != expected:
            # What the entry follows from is not there, so the entry itself cannot be checked.
            gap = _fault("removed", expected, entry.number - 1, _covered(heads, expected))
            faults.append(gap)
        elif entry.digest != digest(entry, previous):
            since = _covered(heads, entry.number) or entry.at
            faults.append(_fault("changed", entry.number, entry.number, since))
        off += [h for h in signed.get(entry.number, ()) if h.digest != entry.digest]
        previous, expected = entry.digest, entry.number + 1
        count, last = count + 1, entry
    faults += _against(heads, off, expected)
    return Followed(entries=count, last=last, faults=tuple(faults))


def _against(heads: Sequence[AuditHead], off: list[AuditHead], expected: int) -> list[Fault]:
    """What heads say that lie on another chain (`off`), or beyond the end of this one."""
    faults = []
    if off:
        first_off = min(h.number for h in off)
        fitting = [h.number for h in heads if h.number < first_off]
        first, last = max(fitting, default=0) + 1, max(h.number for h in off)
        faults.append(_fault("rewritten", first, last, max(h.at for h in off)))
    beyond = [h for h in heads if h.number >= expected]
    if beyond:
        last, since = max(h.number for h in beyond), max(h.at for h in beyond)
        faults.append(_fault("cut", expected, last, since))
    return faults


def compare(own: Sequence[AuditHead], shipped: Sequence[AuditHead]) -> tuple[Fault, ...]:
    """What the server's heads lack against those that were shipped, and the other way round."""
    here, there = {h.seq: h for h in own}, {h.seq: h for h in shipped}
    last = max((*here, *there), default=0)
    faults = [
        _fault("head_missing", first, end, there[end].at if end in there else None)
        for first, end in _gaps(here, 1, last)
    ]
    if there:
        gaps = _gaps(there, min(there), max(there))
        faults += [_fault("shipped_missing", first, end) for first, end in gaps]
    other = {seq for seq in here.keys() & there.keys() if here[seq] != there[seq]}
    other |= {head.seq for head in shipped if head != there[head.seq]}  # two of one number
    in_order = [there[seq] for seq in sorted(there)]
    other |= {b.seq for a, b in itertools.pairwise(in_order) if b.number <= a.number}
    faults += [_fault("head_replaced", first, end, there[end].at) for first, end in _ranges(other)]
    return tuple(faults)


def _covered(heads: Sequence[AuditHead], number: int) -> dt.datetime | None:
    """When the entry was checked and signed for the first time: it was whole then."""
    return min((h.at for h in heads if h.number >= number), default=None)


def _fault(what: FaultKind, first: int, last: int, since: dt.datetime | None = None) -> Fault:
    return Fault(what=what, first=first, last=last, since=since)


def _gaps(there: Iterable[int], first: int, last: int) -> Iterator[tuple[int, int]]:
    """What is not there from `first` to `last`: work by what is there, whatever a head counts to."""
    expected = first
    for number in sorted(there):
        if number > expected:
            yield expected, number - 1
        expected = number + 1
    if expected <= last:
        yield expected, last


def _ranges(numbers: set[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
