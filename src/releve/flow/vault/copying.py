"""Copies of a vault: the port to a replica, and what counts as the same chain. Pure but for ports."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from releve.flow.vault import chain
from releve.flow.vault.book import DROPPED
from releve.flow.vault.chain import Link
from releve.flow.vault.names import is_place
from releve.flow.vault.retention import LEAVING
from releve.model.copies import Copy, Probe, Progress
from releve.model.errors import ReleveError
from releve.model.vault import AnyEntry, Deed, Head, Receipt, Repository

PROOF_DAYS = 30
_DAY_NS = 86_400_000_000_000


class CopySourceError(ReleveError):
    """The vault that is copied lost or changed what it had said to have received."""

    status = 124
    remedy = (
        "Treat the source as attacked or its disk as failing: keep its disk, do not retire this copy,"
        " and compare with the heads kept elsewhere (`releve vault head --check`)."
    )

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The source {name} is not what it was: {why}.")


class CopyUnreachableError(ReleveError):
    """The copy does not answer, or refuses our credential."""

    status = 123
    remedy = "Check the address, the secret file and the authority of `releve vault copy list`."

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The copy {name} cannot be used: {why}.")


class CopyIncompleteError(ReleveError):
    """The copy lacks objects, or has others in their place."""

    status = 120
    remedy = (
        "Run `releve vault copy run`; what stays missing is named and must be healed at its source."
    )

    def __init__(self, name: str, count: int) -> None:
        super().__init__(
            f"The copy {name} lacks {count} objects, or they are not what was received."
        )


class NotImmutableError(ReleveError):
    """An attack on the copy's WORM claim got through."""

    status = 119
    remedy = "Do not count on this copy as immutable: close the named door, then probe again."

    def __init__(self, name: str, attacks: Sequence[str]) -> None:
        super().__init__(f"The copy {name} is not immutable: {', '.join(attacks)}.")


class CopyUnknownError(ReleveError):
    """There is no such copy, or it is not of a kind for this."""

    status = 118
    remedy = "See `releve vault copy list`."

    def __init__(self, name: str, why: str = "there is none of that name") -> None:
        super().__init__(f"The copy {name!r} does not do: {why}.")


class ReplicaError(Exception):
    """An object cannot be had from a replica: absent, or not as it was received."""


class Replica(Protocol):
    """Somewhere else that holds the vault's objects."""

    def fetch(self, receipt: Receipt) -> Iterator[bytes]:
        """The object in pieces; whoever takes them checks the hash. Raises: ReplicaError."""
        ...


def mirrored(progress: Progress) -> Link:
    return Link(seq=progress.seq, hash=progress.hash, received_ns=progress.received_ns)


def take_lines(progress: Progress, lines: Sequence[bytes], head: Head) -> tuple[Progress, str]:
    """The progress after new lines of the source's journal, or why they do not follow.

    `head` was signed by the source's pinned key and asked for before the lines: it must lie on them,
    or be the mirror's own end.
    """
    if head.seq < progress.head_seq:
        return progress, f"its head went back from entry {progress.head_seq} to {head.seq}"
    at, why = chain.first_break(lines, mirrored(progress))
    if why:
        return progress, why
    strange = next(
        (e for e in chain.read(lines) if isinstance(e, Receipt) and not is_place(e)), None
    )
    if strange is not None:
        return progress, f"entry {strange.seq}: it names no object of a vault"
    if head.seq > at.seq:
        return progress, f"its head is at entry {head.seq}, its journal ends at {at.seq}"
    known = {progress.seq: progress.hash}
    if progress.seq <= head.seq:
        known |= {entry.seq: entry.hash for entry in chain.read(lines)}
    if known.get(head.seq, head.hash) != head.hash:
        return progress, f"its signed head {head.seq} is of another chain"
    moved = msgspec.structs.replace(
        progress,
        offset=progress.offset + sum(map(len, lines)),
        seq=at.seq,
        hash=at.hash,
        received_ns=at.received_ns,
        head_seq=head.seq,
    )
    return moved, ""


def gone(entries: Iterable[AnyEntry]) -> dict[Repository, int]:
    """Generations that the source took away by its own retention, and at which entry."""
    return {
        Repository(
            structure=entry.structure, host=entry.host, generation=entry.generation
        ): entry.seq
        for entry in entries
        if isinstance(entry, Deed) and entry.what in {DROPPED, LEAVING}
    }


def claim_of(copy: Copy) -> str:
    """What a probe's result is about; another endpoint, bucket or span needs another probe."""
    return f"{copy.url} {copy.bucket} {copy.lock_days} {' '.join(sorted(copy.doors))}"


def is_proved(copy: Copy, probe: Probe | None, now_ns: int) -> bool:
    """Whether it may be shown as immutable: every attack failed, lately, on exactly this."""
    if probe is None or not probe.holds or probe.claim != claim_of(copy):
        return False
    return 0 <= now_ns - probe.at_ns <= PROOF_DAYS * _DAY_NS


def called(receipt: Receipt) -> str:
    return f"{receipt.repository}/{receipt.kind}/{receipt.name}"


def read_lines(lines: Iterable[bytes]) -> list[AnyEntry]:
    return chain.read(lines)
