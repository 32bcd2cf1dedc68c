"""How much of what the vault has was read again and found as received, and since when. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec

DAY_NS = 86_400_000_000_000
KEPT_DAYS = 31


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of a scrub: every standing receipt in (after_seq, to_seq] was read."""

    after_seq: int
    to_seq: int
    at_ns: int  # when the stretch began: no object was read earlier
    bad: tuple[int, ...] = ()  # of these receipts the object was not as received


class Coverage:
    """The receipts that passes newer than a time prove; the newest pass over a receipt counts."""

    def __init__(self, passes: Iterable[Pass], since_ns: int) -> None:
        self._spans: list[tuple[int, int]] = []
        self.bad: set[int] = set()
        newest_first = sorted(passes, key=lambda one: one.at_ns, reverse=True)
        for one in newest_first:
            if one.at_ns < since_ns:
                break
            self.bad.update(seq for seq in one.bad if not self._has(seq))
            self._spans = _merged((*self._spans, (one.after_seq, one.to_seq)))

    @property
    def same_as(self) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
        """Two coverages with the same value prove the same receipts."""
        return tuple(self._spans), tuple(sorted(self.bad))

    def proves(self, seq: int) -> bool:
        return self._has(seq) and seq not in self.bad

    def _has(self, seq: int) -> bool:
        # The last span that begins before this receipt is the only one that can hold it.
        place = bisect_left(self._spans, (seq, 0)) - 1
        return place >= 0 and seq <= self._spans[place][1]


def kept(passes: Sequence[Pass], now_ns: int) -> tuple[Pass, ...]:
    """Those that still count for anything; stretches of a day that follow each other become one."""
    found: list[Pass] = []
    for one in sorted(passes, key=lambda one: one.at_ns):
        if one.at_ns < now_ns - KEPT_DAYS * DAY_NS:
            continue
        last = found[-1] if found else None
        if last and last.to_seq == one.after_seq and one.at_ns - last.at_ns < DAY_NS:
            # The older time of the two: a share is never told younger than it is.
            found[-1] = msgspec.structs.replace(last, to_seq=one.to_seq, bad=(*last.bad, *one.bad))
        else:
            found.append(one)
    return tuple(found)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for after, to in sorted(spans):
        if found and after <= found[-1][1]:
            found[-1] = (found[-1][0], max(to, found[-1][1]))
        else:
            found.append((after, to))
    return found
