"""The standing: what a vault has of one structure, composed of its book, and signed. Pure."""

from collections.abc import Iterable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.signatures import did_sign
from releve.flow.vault.book import Book
from releve.model.standing import (
    GenerationStanding,
    HoldStanding,
    HostStanding,
    OpeningStanding,
    PathStanding,
    SignedStanding,
    Standing,
)
from releve.model.vault import Agreement, Generation, Hold, Opening, Repository
from releve.recover.verified import DAY_NS, Coverage, Pass
from releve.sense.path_token import scrub

_PREFIX = b"releve-vault-standing-1\n"
_standing = msgspec.json.Decoder(Standing).decode
_signed = msgspec.json.Decoder(SignedStanding).decode
_LONGEST = 120
_replace = msgspec.structs.replace
_MOST = 1 << 63


def sign(key: Ed25519PrivateKey, standing: Standing) -> SignedStanding:
    body = msgspec.json.encode(standing)
    return SignedStanding(standing=body, signature=key.sign(_PREFIX + body))


def open_standing(public_key: bytes, signed: SignedStanding) -> Standing | None:
    """The standing, None when this key did not sign it, or no page could write its figures."""
    if not did_sign(public_key, _PREFIX + signed.standing, signed.signature):
        return None
    try:
        told = _standing(signed.standing)
    except msgspec.DecodeError:
        return None
    return told if _fits(msgspec.to_builtins(told)) else None


def _fits(value: object) -> bool:
    """JSON bounds no number: one of more than 64 bits is no size and no time."""
    match value:
        case int():
            return -_MOST <= value < _MOST
        case dict():
            return all(map(_fits, value.values()))
        case list() | tuple():
            return all(map(_fits, value))
        case _:
            return True


def read_signed(body: bytes) -> SignedStanding:
    """Raises: msgspec.DecodeError."""
    return _signed(body)


class Proved(msgspec.Struct, frozen=True):
    """Of one generation: bytes that passes of a week and of a month prove, and objects found bad."""

    week: int
    month: int
    bad: int


class Proofs:
    """What passes prove of generations; counted again only when a generation or the passes changed.

    A million objects take more than a second to count, and a standing is made every five minutes.
    """

    def __init__(self) -> None:
        self._known: dict[Repository, tuple[object, Proved]] = {}

    def of(self, book: Book, one: Generation, week: Coverage, month: Coverage) -> Proved:
        state = (one.objects, one.bytes, one.last_ns, week.same_as, month.same_as)
        known = self._known.get(one.repository)
        if known is None or known[0] != state:
            known = self._known[one.repository] = (state, _counted(book, one, week, month))
        return known[1]


def _counted(book: Book, one: Generation, week: Coverage, month: Coverage) -> Proved:
    in_week = in_month = bad = 0
    for held in book.objects(one.repository):
        in_week += held.size if week.proves(held.seq) else 0
        in_month += held.size if month.proves(held.seq) else 0
        bad += held.seq in month.bad
    return Proved(in_week, in_month, bad)


def hosts(
    book: Book,
    structure: str,
    passes: Iterable[Pass],
    per_day: dict[str, int],
    now_ns: int,
    proofs: Proofs,
) -> tuple[HostStanding, ...]:
    """Each host of a structure with what is proved of its bytes."""
    stretches = list(passes)
    week = Coverage(stretches, now_ns - 7 * DAY_NS)
    month = Coverage(stretches, now_ns - 30 * DAY_NS)
    told: dict[str, list[Generation]] = {}
    for generation in book.generations():
        where = generation.repository
        if where.structure == structure and not generation.dropped_ns:
            told.setdefault(where.host, []).append(generation)
    return tuple(
        _host(host, own, [proofs.of(book, one, week, month) for one in own], per_day.get(host, 0))
        for host, own in sorted(told.items())
    )


def own_figures(told: Standing) -> Standing:
    """Of a vault that several structures share: no figure from which another's could be had.

    What was read again, and what comes in, is this one's; of the disk only how long it lasts.
    """
    scrub, room = told.scrub, told.room
    if scrub is not None:
        scrub = _replace(
            scrub,
            objects=sum(host.objects for host in told.hosts),
            bytes=sum(host.bytes for host in told.hosts),
            bad=sum(host.bad_objects for host in told.hosts),
        )
    if room is not None:
        per_day = sum(host.bytes_per_day for host in told.hosts)
        room = _replace(room, disk_bytes=0, free_bytes=0, bytes_per_day=per_day)
    return _replace(told, scrub=scrub, room=room)


def backed_up(book: Book) -> frozenset[Repository]:
    """Those of which a whole backup is here."""
    return frozenset(
        one.repository for one in book.generations() if one.last_snapshot_ns and not one.dropped_ns
    )


def _host(host: str, own: list[Generation], proved: list[Proved], per_day: int) -> HostStanding:
    return HostStanding(
        host=host,
        generations=tuple(_generation(one) for one in own),
        last_snapshot_ns=max(one.last_snapshot_ns for one in own),
        objects=sum(one.objects for one in own),
        bytes=sum(one.bytes for one in own),
        verified_7d_bytes=sum(one.week for one in proved),
        verified_30d_bytes=sum(one.month for one in proved),
        bad_objects=sum(one.bad for one in proved),
        bytes_per_day=per_day,
    )


def _generation(one: Generation) -> GenerationStanding:
    return GenerationStanding(
        name=one.repository.generation,
        first_ns=one.first_ns,
        last_ns=one.last_ns,
        last_snapshot_ns=one.last_snapshot_ns,
        objects=one.objects,
        bytes=one.bytes,
    )


def hold(one: Hold) -> HoldStanding:
    return HoldStanding(
        id=one.id,
        host=one.host,
        generation=one.generation,
        by=_said(one.by),
        since_ns=one.since_ns,
    )


def path(one: Agreement) -> PathStanding:
    return PathStanding(name=one.name, host=one.host, until_ns=one.until_ns)


def opening(one: Opening) -> OpeningStanding:
    return OpeningStanding(
        id=one.id,
        host=one.host,
        incident=_said(one.incident),
        by=_said(one.by),
        path=one.agreement or "two_people",
        approvers=tuple(signoff.approver for signoff in one.signoffs),
        asked_ns=one.asked_ns,
        opened_ns=one.opened_ns,
        expires_ns=one.expires_ns,
        first_read_ns=one.first_read_ns,
        is_drill=one.is_drill,
    )


def _said(words: str) -> str:
    """What a person typed, without paths and names of files."""
    return scrub(words)[:_LONGEST]
