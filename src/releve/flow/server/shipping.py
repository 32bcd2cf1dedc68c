"""Signed heads of the audit trail, brought to places that whoever rewrites the trail has not."""

import datetime as dt
import errno
import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from releve.flow.server.ports import Store
from releve.model.audit import ShipFault, Shipment

_SEEN_FOR = dt.timedelta(minutes=10)  # a pass comes each minute
_AGAIN = 3  # to a place that cannot tell: twice is harmless, and a killed server leaves one behind


class HeadsAheadError(OSError):
    """The place holds heads that this trail has not."""


class HeadPlace(Protocol):
    """Keeps lines in order; asked from one thread at a time."""

    name: str

    def newest(self, structure: str) -> int | None:
        """The `seq` that the place got last, 0: none; None when it cannot tell. Raises: OSError."""
        ...

    def add(self, structure: str, lines: Sequence[tuple[int, bytes]]) -> None:
        """Keep them durably, by `seq`. Raises: OSError."""
        ...


def ship(store: Store, structure: str, place: HeadPlace) -> int:
    """Bring what the place lacks; how many heads. Raises: OSError, also when it is ahead of us."""
    known = place.newest(structure)
    with store.unit(structure, writes=False) as unit:
        last = next((head.seq for head in unit.audit_heads(most=1)), 0)
        if known is not None and known > last:
            raise HeadsAheadError(
                0, "it holds heads that this trail has not: see `releve audit verify`"
            )
        new = unit.audit_heads(most=_AGAIN) if known is None else unit.audit_heads(after=known)
    if new:
        place.add(structure, [(head.seq, head.signed) for head in new])
    return len(new)


class Shipments:
    """How each structure's heads get to each place, as the last pass saw it; for pages, too."""

    def __init__(self, places: Sequence[str] = (), known: Iterable[Shipment] = ()) -> None:
        """`known`: of before this server's start, so that a fault keeps its beginning."""
        self._places = tuple(places)
        self._by = {(one.place, one.structure): one for one in known if one.place in self._places}
        self._lock = threading.Lock()

    @property
    def has_places(self) -> bool:
        return bool(self._places)

    def note(
        self, place: str, structure: str, now: dt.datetime, why: ShipFault | None = None
    ) -> None:
        """What became of one structure's heads at one place."""
        with self._lock:
            before = self._by.get((place, structure), Shipment(place=place, structure=structure))
            if why is None:
                told = Shipment(place=place, structure=structure, complete_at=now)
            else:
                told = Shipment(
                    place=place,
                    structure=structure,
                    complete_at=before.complete_at,
                    why=why,
                    since=before.since or now,
                )
            self._by[place, structure] = told

    def keep_only(self, structures: Iterable[str]) -> None:
        """Forget those that left."""
        known = set(structures)
        with self._lock:
            self._by = {key: one for key, one in self._by.items() if one.structure in known}

    def of(self, structure: str, now: dt.datetime) -> list[Shipment]:
        """As it is known now."""
        return [as_known(one, now) for one in self.all() if one.structure == structure]

    def all(self) -> list[Shipment]:
        with self._lock:
            return [self._by[key] for key in sorted(self._by)]


def as_known(told: Shipment, now: dt.datetime) -> Shipment:
    """What was complete when it was last looked at is not known to be, once nobody looks any more."""
    seen = told.complete_at
    if told.why or seen is None or now - seen <= _SEEN_FOR:
        return told
    return msgspec.structs.replace(told, why="unseen", since=seen)


def why_of(error: OSError) -> ShipFault:
    """In the few words that people can act on."""
    for kind, why in _BY_KIND:
        if isinstance(error, kind):
            return why
    if error.errno == errno.EROFS:
        return "denied"
    return "full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "failed"


_BY_KIND: tuple[tuple[type[OSError], ShipFault], ...] = (
    (HeadsAheadError, "ahead"),
    (NotADirectoryError, "absent"),
    (FileNotFoundError, "no_log"),
    (PermissionError, "denied"),
)
