"""Which objects a repository had at a time, by the vault's receipts alone. Pure.

Consistent at any time: restic uploads packs before the index that names them, and both before the
snapshot; the vault receipts in that order. What came later, a poisoned index for one, is left out.
"""

from collections.abc import Iterable

import msgspec

from releve.model.vault import AnyEntry, Receipt, Repository


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What a view is made of."""

    receipts: tuple[Receipt, ...]
    left_out: int  # objects that came later
    bytes: int

    @property
    def last_seq(self) -> int:
        return max((receipt.seq for receipt in self.receipts), default=0)


def as_of(
    entries: Iterable[AnyEntry],
    repository: Repository,
    at_ns: int,
    *,
    last_seq: int | None = None,
    with_found: bool = True,
) -> Selection:
    """The objects received by a time, and, if told, up to an entry of the chain.

    Args:
        with_found: also those that were found at a start: their true time is not known, only that it
            was before; what a client never heard a yes for.
    """
    chosen, left_out = [], 0
    for entry in entries:
        if not isinstance(entry, Receipt) or entry.repository != repository:
            continue
        is_late = entry.received_ns > at_ns or (last_seq is not None and entry.seq > last_seq)
        if is_late or (entry.found and not with_found):
            left_out += 1
        else:
            chosen.append(entry)
    return Selection(
        receipts=tuple(chosen), left_out=left_out, bytes=sum(receipt.size for receipt in chosen)
    )
