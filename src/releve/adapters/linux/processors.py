"""On which processor the guard works: the one that others use least.

Its threads share one interpreter, so that one of them runs at a time, however many processors there are. On several
they hand it from one to the other: each hand-over wakes a processor that slept, and takes it from the programs that
are watched. On one they run one after the other, and what others do goes to the rest of the machine.
"""

import os
import time
from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/stat")
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_IDLE: Final = (3, 4)  # of the fields after the name: idle and waiting for a disk (proc_stat(5))
_FIELDS: Final = 8  # those after them are counted in the first ones already
_BUSY = 0.5  # others use even the quietest one so much: the system's own balance is better then
_STEP = 0.25  # of use: less of a difference is none
_LEAST_S = 0.2  # between two looks: the system counts in hundredths of a second


class Processors:
    """Those that this process may run on, and how much others used each of them lately."""

    def __init__(self) -> None:
        self.allowed = frozenset(os.sched_getaffinity(0))
        self.chosen = self.allowed
        self._seen = self._sample()

    def choose(self) -> bool:
        """Look at what others used since the last look; whether `chosen` is another than before."""
        now, own, busy = self._sample()
        since, own_before, before = self._seen
        past_s, chosen = now - since, self.chosen
        if past_s < _LEAST_S:
            return False
        self._seen = now, own, busy
        ours = (own - own_before) / len(chosen)
        others = {
            number: (used - before[number] - (ours if number in chosen else 0)) / past_s
            for number, used in busy.items()
            if number in before  # one that came or went meanwhile: next time
        }
        self.chosen = least_used(others) if others else self.allowed
        return self.chosen != chosen

    def _sample(self) -> tuple[float, float, dict[int, float]]:
        """Now, seconds that this process ran, and that each processor did."""
        try:
            busy = busy_seconds(_STAT.read_text("ascii"))
        except (OSError, ValueError, IndexError):  # none to see here: no choice
            busy = {}
        busy = {number: used for number, used in busy.items() if number in self.allowed}
        return time.monotonic(), time.process_time(), busy


def least_used(others: dict[int, float]) -> frozenset[int]:
    """The processor to work on, given what share of each others use; all of them when none is free.

    Of those used about as little the last, so that it does not go to and fro.
    """
    quietest = min(others, key=lambda number: (max(0.0, others[number]) // _STEP, -number))
    return frozenset(others if others[quietest] > _BUSY else (quietest,))


def busy_seconds(stat: str) -> dict[int, float]:
    """Of /proc/stat: by processor the seconds since the start in which it had something to do."""
    found = {}
    for line in stat.splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            ticks = [int(field) for field in fields[:_FIELDS]]
            found[int(name[3:])] = (sum(ticks) - sum(ticks[n] for n in _IDLE)) * _TICK_S
    return found
