"""A folder as of a time: which names an inode had then, which version, and when it lay quiet."""

import itertools
from collections.abc import Iterable, Sequence

import msgspec

from releve.model.held import Generation, Judged, Kind, Name

STILL = (1 << 63) - 2  # `until_ns` of a name that stands today; SQLite's integers end there
_QUIET_NS = 60_000_000_000


class Stay(msgspec.Struct, frozen=True, gc=False):
    """A name of one inode and when it lost it."""

    name: Name
    until_ns: int


def names_at(stays: Iterable[Stay], links: int, at_ns: int) -> list[Name]:
    """The names that an inode had at a time.

    Only the end of a name is known. An inode with `links` names had, at any time, those `links`
    that ended first after it: each that it lost later had replaced one of them.
    """
    later = sorted((s for s in stays if s.until_ns > at_ns), key=lambda s: s.until_ns)
    return [stay.name for stay in later[: max(1, links)]]


def changed_ns(generation: Generation) -> int:
    """From when on a generation counts: its last change, for what a roll-back gave back its holding."""
    return min(generation.facts.ctime_ns, generation.taken_ns)


def is_sound(generation: Generation) -> bool:
    """It may be given to people: settled, and not judged bad."""
    is_file = generation.facts.kind is Kind.FILE
    return generation.settled and generation.judged is not Judged.BAD and is_file


def generation_at(generations: Iterable[Generation], at_ns: int) -> Generation | None:
    """The newest sound generation not younger than a time; None if there is none."""
    fitting = [g for g in generations if is_sound(g) and changed_ns(g) <= at_ns]
    return max(fitting, key=lambda g: (changed_ns(g), g.id), default=None)


def quiet_moments(changes: Iterable[int], *, most: int = 200) -> list[int]:
    """The last change of each spell of work: after it nothing moved for a minute. Oldest first."""
    times = sorted(set(changes))
    ends = [a for a, b in itertools.pairwise(times) if b - a > _QUIET_NS]
    return [*ends, *times[-1:]][-most:]


def before_the_end(gains: Sequence[int], losses: Sequence[int]) -> int:
    """The moment before a folder that is gone began to be emptied, with nothing added since."""
    last_gain = max(gains, default=0)
    run = sorted(loss for loss in losses if loss > last_gain)
    start = run[-1] if run else last_gain + 1
    for earlier in reversed(run):
        if start - earlier > _QUIET_NS:
            break
        start = earlier
    return start - 1
