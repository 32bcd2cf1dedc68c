"""The running memory of the chain: which objects are received, how much each host has."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from releve.model.vault import AnyEntry, Deed, Generation, ObjectKind, Receipt, Repository

DROPPED = "vault:generation:dropped"


class Held(msgspec.Struct, frozen=True, gc=False):
    """What the book remembers of one object."""

    size: int
    sha256: str  # only of the config, whose name is not its hash
    seq: int


class _Room:
    """One repository."""

    __slots__ = ("bytes", "first_ns", "last_ns", "last_snapshot_ns", "objects")

    def __init__(self) -> None:
        self.objects: dict[tuple[ObjectKind, bytes], Held] = {}
        self.bytes = self.first_ns = self.last_ns = self.last_snapshot_ns = 0


class Book:
    """A fold over the chain; entries are applied in order, each once."""

    def __init__(self) -> None:
        self._rooms: dict[Repository, _Room] = {}
        self._dropped: dict[Repository, Generation] = {}
        self._bytes: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._first_by: dict[tuple[str, str], str] = {}
        self.deeds: list[Deed] = []
        self.seq = 0

    def apply(self, entries: Iterable[AnyEntry]) -> None:
        for entry in entries:
            match entry:
                case Receipt():
                    self._receive(entry)
                case Deed():
                    self._do(entry)
            self.seq = entry.seq

    def held(self, repository: Repository, kind: ObjectKind, name: str) -> Held | None:
        room = self._rooms.get(repository)
        return room.objects.get((kind, _key(kind, name))) if room else None

    def host_bytes(self, structure: str, host: str) -> int:
        """Of all standing generations of a host."""
        return self._bytes[structure, host]

    def first_by(self, structure: str, host: str) -> str:
        """Who brought the first object of a host; empty while nobody has."""
        return self._first_by.get((structure, host), "")

    def repositories(self) -> list[Repository]:
        return sorted(self._rooms)

    def names(self, repository: Repository) -> Iterator[tuple[ObjectKind, str, Held]]:
        room = self._rooms.get(repository)
        for (kind, key), held in (room.objects if room else {}).items():
            yield kind, "config" if kind is ObjectKind.CONFIG else key.hex(), held

    def objects(self, repository: Repository) -> list[Held]:
        """What stands of a repository, taken at once: another thread may read it at leisure."""
        room = self._rooms.get(repository)
        return list(room.objects.values()) if room else []

    def generations(self) -> list[Generation]:
        """Standing ones and dropped ones, oldest first."""
        standing = (_told(repository, room) for repository, room in list(self._rooms.items()))
        return sorted((*standing, *self._dropped.values()), key=lambda told: told.first_ns)

    def _receive(self, receipt: Receipt) -> None:
        if receipt.by:  # empty of one that was found: who left it, nobody knows
            whose = (receipt.repository.structure, receipt.repository.host)
            self._first_by.setdefault(whose, receipt.by)
        room = self._rooms.setdefault(receipt.repository, _Room())
        key = (receipt.kind, _key(receipt.kind, receipt.name))
        if key in room.objects:
            return
        digest = receipt.sha256 if receipt.kind is ObjectKind.CONFIG else ""
        room.objects[key] = Held(receipt.size, digest, receipt.seq)
        room.bytes += receipt.size
        room.first_ns = room.first_ns or receipt.received_ns
        room.last_ns = receipt.received_ns
        if receipt.kind is ObjectKind.SNAPSHOTS:
            room.last_snapshot_ns = receipt.received_ns
        self._bytes[receipt.repository.structure, receipt.repository.host] += receipt.size

    def _do(self, deed: Deed) -> None:
        self.deeds.append(deed)
        if deed.what != DROPPED:
            return
        repository = Repository(
            structure=deed.structure, host=deed.host, generation=deed.generation
        )
        if room := self._rooms.pop(repository, None):
            self._bytes[deed.structure, deed.host] -= room.bytes
            told = _told(repository, room)
            self._dropped[repository] = msgspec.structs.replace(told, dropped_ns=deed.received_ns)


def _key(kind: ObjectKind, name: str) -> bytes:
    return b"" if kind is ObjectKind.CONFIG else bytes.fromhex(name)


def _told(repository: Repository, room: _Room) -> Generation:
    return Generation(
        repository=repository,
        first_ns=room.first_ns,
        last_ns=room.last_ns,
        objects=len(room.objects),
        bytes=room.bytes,
        last_snapshot_ns=room.last_snapshot_ns,
    )
