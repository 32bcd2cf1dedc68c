"""How much time the chain bears out, and whether the clock may be believed. Pure.

A clock that was set forward by years leaves one long silence in the chain: it counts for little.
"""

from collections.abc import Iterable, Sequence

import msgspec

MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
STEP_NS = 5 * MINUTE_NS
QUIET_NS = 24 * HOUR_NS  # after a step of the clock nothing is removed for so long
SOURCES_NEEDED = 2


class Silence(msgspec.Struct, frozen=True, gc=False):
    """A gap between two entries that is longer than what counts."""

    from_ns: int
    lost_ns: int  # what of it does not count


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """The time that passed by the chain's entries, up to now."""

    now_ns: int
    last_ns: int  # the newest entry's
    silences: tuple[Silence, ...] = ()

    def since(self, at_ns: int) -> int:
        """How long ago that is, without the time that nothing bears out."""
        lost = sum(silence.lost_ns for silence in self.silences if silence.from_ns >= at_ns)
        return max(0, self.now_ns - at_ns - lost)


def witness(times: Iterable[int], now_ns: int, longest_silence_ns: int) -> Witness:
    """Read the entries' times, in order."""
    silences, last = [], 0
    for at_ns in times:
        if last and at_ns - last > longest_silence_ns:
            silences.append(Silence(last, at_ns - last - longest_silence_ns))
        last = at_ns
    if last and now_ns - last > longest_silence_ns:
        silences.append(Silence(last, now_ns - last - longest_silence_ns))
    return Witness(now_ns=now_ns, last_ns=last, silences=tuple(silences))


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """What the clocks say at one moment. A source's offset is None when it did not answer."""

    vault_ns: int
    wall_ns: int
    stepped_ns: int = 0  # when the chain last noted a step
    sources: Sequence[tuple[str, int | None]] = ()


def why_not_trusted(clocks: Clocks, seen: Witness, longest_silence_ns: int) -> str:
    """Why nothing may be removed by this clock; empty when it may be believed."""
    if clocks.wall_ns < seen.last_ns - STEP_NS:
        return "the clock is before the last entry of the chain"
    if abs(clocks.wall_ns - clocks.vault_ns) > STEP_NS:
        ahead_s = (clocks.wall_ns - clocks.vault_ns) // 10**9
        return f"the machine's clock is {ahead_s} s away from the vault's"
    silent_ns = clocks.vault_ns - seen.last_ns
    if silent_ns > longest_silence_ns:
        hours = silent_ns // HOUR_NS
        return f"the last entry of the chain is {hours} hours old: the clock jumped, or nothing comes in"
    if clocks.stepped_ns and clocks.vault_ns - clocks.stepped_ns < QUIET_NS:
        return "the clock was stepped within the last day"
    return _why_sources(clocks)


def _why_sources(clocks: Clocks) -> str:
    if not clocks.sources:
        return ""
    answered = [(name, offset) for name, offset in clocks.sources if offset is not None]
    if len(answered) < SOURCES_NEEDED:
        return f"{len(answered)} of the clock sources answered, {SOURCES_NEEDED} are needed"
    for name, offset in answered:
        if abs(offset) > STEP_NS:
            return f"{name} says that the clock is {offset // 10**9} s off"
    return ""
