"""Signed heads of the audit trail, brought to places that whoever rewrites the trail has not."""

from collections.abc import Sequence
from typing import Protocol

from releve.flow.server.ports import Store

_AGAIN = 3  # to a place that cannot tell: twice is harmless, and a killed server leaves one behind


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
            raise OSError(0, "it holds heads that this trail has not: see `releve audit verify`")
        new = unit.audit_heads(most=_AGAIN) if known is None else unit.audit_heads(after=known)
    if new:
        place.add(structure, [(head.seq, head.signed) for head in new])
    return len(new)
