"""Where two versions of a file differ, and what the changed bytes look like."""

import msgspec

from releve.detect.ransom.formats import Bytes, ContentLimits
from releve.detect.ransom.formats.uniform import is_flat, looks_uniform, places

_CHUNK = 65_536
_MOST_RUNS = 24
_PIECES = 3


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A changed range [start, end) of the common length; `closed` if equal bytes follow it."""

    start: int
    end: int
    closed: bool


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The changed ranges; exact when the whole file was compared, else windows of a sample."""

    runs: tuple[Run, ...]
    common: int
    exact: bool

    def spots(self, most: int) -> tuple[int, ...]:
        """Some changed places, spread, for the format checks."""
        step = max(1, len(self.runs) // most)
        runs = self.runs[::step][:most]
        each = most // len(runs) if runs else 0
        return tuple(
            run.start + (run.end - run.start) * (2 * part + 1) // (2 * each)
            for run in runs
            for part in range(each)
        )


class Overwrite(msgspec.Struct, frozen=True, kw_only=True):
    """What the changed ranges look like now."""

    became_uniform: int = 0  # pieces uniform now that were not before
    uniform: int = 0  # pieces uniform now, whatever they were
    closed_uniform: int = 0  # of these, followed by unchanged bytes: overwritten in place
    became_closed: int = 0  # uniform now, not before, and followed by unchanged bytes
    became_flat: int = 0  # pieces that use a small alphabet evenly now and did not before
    looked: int = 0
    share: float = 0.0  # of the file, the bytes of runs with pieces that became uniform


def differ(before: Bytes, after: Bytes, limits: ContentLimits) -> Difference:
    """Compare position by position over the common length."""
    common = min(before.size, after.size)
    width = limits.window_bytes
    if common > limits.diff_bytes:
        where = places(common, limits.diff_windows, width)
        changed = [at for at in where if before.read(at, width) != after.read(at, width)]
        told = set(changed)
        kept = max((at for at in where if at not in told), default=-1)
        runs = [Run(start=at, end=min(at + width, common), closed=at < kept) for at in changed]
        return Difference(runs=tuple(runs), common=common, exact=False)
    ranges: list[list[int]] = []
    for at in range(0, common, _CHUNK):
        length = min(_CHUNK, common - at)
        old, new = before.read(at, length), after.read(at, length)
        if old != new:
            _collect(ranges, at, old, new, width)
    if len(ranges) <= _MOST_RUNS:
        runs = [_trimmed(before, after, start, end, common) for start, end in ranges]
    else:  # the exact ends of hundreds of ranges tell nothing more, and cost 50 us each
        runs = [Run(start=start, end=end, closed=end < common) for start, end in ranges]
    return Difference(runs=tuple(runs), common=common, exact=True)


def _collect(ranges: list[list[int]], at: int, old: bytes, new: bytes, width: int) -> None:
    for inner in range(0, len(new), width):
        if old[inner : inner + width] != new[inner : inner + width]:
            start, end = at + inner, at + min(inner + width, len(new))
            if ranges and ranges[-1][1] == start:
                ranges[-1][1] = end
            else:
                ranges.append([start, end])


def _trimmed(before: Bytes, after: Bytes, start: int, end: int, common: int) -> Run:
    """Cut the equal bytes off both ends: a change of 3 kB may straddle two windows."""
    width = 4096
    first = min(end, start + width)
    head = _xor(before.read(start, first - start), after.read(start, first - start))
    lead = (len(head) - len(head.lstrip(b"\0"))) if head else 0
    last = max(start, end - width)
    tail = _xor(before.read(last, end - last), after.read(last, end - last))
    trail = len(tail) - len(tail.rstrip(b"\0"))
    closed = end < common or trail > 0
    return Run(start=start + lead, end=max(start + lead, end - trail), closed=closed)


def _xor(one: bytes, other: bytes) -> bytes:
    length = min(len(one), len(other))
    return (int.from_bytes(one[:length], "big") ^ int.from_bytes(other[:length], "big")).to_bytes(
        length, "big"
    )


def overwritten(
    before: Bytes, after: Bytes, difference: Difference, limits: ContentLimits
) -> Overwrite:
    """Look at pieces of the changed ranges, before and after."""
    runs = [run for run in difference.runs if run.end - run.start >= limits.sample_least]
    step = max(1, len(runs) // _MOST_RUNS)
    became = uniform = closed = both = flat = looked = 0
    for run in runs[::step][:_MOST_RUNS]:
        for at, length in _pieces(run, limits.window_bytes, 1 if len(runs) > _PIECES else _PIECES):
            new = after.read(at, length)
            looked += 1
            if looks_uniform(new, limits):
                uniform += 1
                closed += run.closed
                if not looks_uniform(before.read(at, length), limits):
                    became += 1
                    both += run.closed
            elif (
                new.isascii()
                and is_flat(new, limits)
                and not is_flat(before.read(at, length), limits)
            ):
                flat += 1
    total = sum([run.end - run.start for run in difference.runs])
    share = (became / looked) * total / max(1, difference.common) if looked else 0.0
    return Overwrite(
        became_uniform=became,
        uniform=uniform,
        closed_uniform=closed,
        became_closed=both,
        became_flat=flat,
        looked=looked,
        share=share,
    )


def _pieces(run: Run, width: int, most: int) -> list[tuple[int, int]]:
    length = run.end - run.start
    if length <= width * 2 or most == 1:
        middle = run.start + max(0, length - width) // 2
        return [(middle, min(width, length))]
    return [(run.start + (length - width) * part // (most - 1), width) for part in range(most)]
