"""Figures of a simulation, each with the cases it rests on. Not measured is None, never zero."""

import fnmatch
import math
import statistics
from collections.abc import Callable, Iterable, Sequence

import msgspec

from releve.model.lines import RolledBack, Stopped
from releve.model.proof import AttackResult, HonestResult, Simulation

REFLINK = ("xfs", "btrfs")  # the other file systems hold by copy
ROLLBACK_FILES = 1000


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `value` is what a promise is judged on; None: no case was measured."""

    value: float | None = None
    n: int = 0
    where: tuple[str, ...] = ()  # file systems
    mean: float | None = None
    median: float | None = None
    p95: float | None = None
    worst: float | None = None
    never: int = 0  # cases in which it never came about; they count as infinitely long
    aside: float | None = None  # the largest case below the size that the promise speaks of


Measure = Callable[[Simulation, tuple[str, ...]], Measured]


def attacks_run(simulation: Simulation) -> tuple[AttackResult, ...]:
    return tuple(attack for attack in simulation.attacks if not attack.skipped)


def honest_run(simulation: Simulation, *, held_out: bool) -> tuple[HonestResult, ...]:
    """Honest work that ran, without what is meant to be stopped unless approved."""
    return tuple(
        work
        for work in simulation.honest
        if not work.skipped and not work.wanted_stop and work.held_out == held_out
    )


def restored(attack: AttackResult) -> int:
    return sum(line.restored for line in attack.lines if isinstance(line, RolledBack))


def reasons(attack: AttackResult) -> int:
    return sum(len(line.points) for line in attack.lines if isinstance(line, Stopped))


def judged_ms(attack: AttackResult) -> float | None:
    """First destructive write to the judgement, of an attack in which nobody was left to stop."""
    found = [line for line in attack.lines if isinstance(line, Stopped)]
    told = [line.first_write_to_stop_ms for line in found if line.action != "would_stop"]
    return max(told, default=None)


def chosen(name: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: a value that was really measured, never one in between."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float], where: Iterable[str], *, never: int = 0) -> Measured:
    """Median, p95 and worst over all cases, those that never came about counted as infinite."""
    counted = [*values, *([math.inf] * never)]
    if not counted:
        return Measured()
    middle = statistics.median_high(counted) if never else statistics.median(counted)
    return Measured(
        value=middle,
        n=len(counted),
        where=tuple(sorted(set(where))),
        mean=statistics.fmean(values) if values and not never else None,
        median=middle,
        p95=percentile(counted, 0.95),
        worst=max(counted),
        never=never,
    )


def judged_on_worst(measured: Measured) -> Measured:
    return msgspec.structs.replace(measured, value=measured.worst)


def _total(cases: Sequence[AttackResult], amount: Callable[[AttackResult], int]) -> Measured:
    if not cases:
        return Measured()
    amounts = [amount(case) for case in cases]
    return Measured(
        value=float(sum(amounts)),
        n=len(cases),
        where=tuple(sorted({case.fs for case in cases})),
        worst=float(max(amounts)) if any(amounts) else None,
    )


def _some_attacks(simulation: Simulation, names: tuple[str, ...]) -> list[AttackResult]:
    return [attack for attack in attacks_run(simulation) if chosen(attack.name, names)]


def files_lost(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    return _total(_some_attacks(simulation, names), lambda attack: attack.files_lost)


def newest_save_lost(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    return _total(_some_attacks(simulation, names), lambda attack: attack.newest_save_lost)


def not_as_before(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    """What differs after the rollback: content, name, owner, mode, times, ACL, xattrs."""
    return _total(_some_attacks(simulation, names), lambda attack: len(attack.wrong))


def files_touched(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    cases = _some_attacks(simulation, names)
    return spread([case.files_touched for case in cases], (case.fs for case in cases))


def worst_touched(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    return judged_on_worst(files_touched(simulation, names))


def stop_delay(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    """First destructive write to stop. Never, or at a time nobody knows: infinitely late."""
    cases = _some_attacks(simulation, names)
    known = [
        case.first_write_to_stop_ms
        for case in cases
        if case.stopped and case.first_write_to_stop_ms is not None
    ]
    return spread(known, (case.fs for case in cases), never=len(cases) - len(known))


def rollback_time(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    cases = [case for case in _some_attacks(simulation, names) if case.rollback_ms is not None]
    times = [case.rollback_ms for case in cases if case.rollback_ms is not None]
    return spread(times, (case.fs for case in cases))


def rollback_of_1000(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    """Worst time per 1,000 files, over rollbacks of at least 1,000: scaled down, never up."""
    cases = [case for case in _some_attacks(simulation, names) if case.rollback_ms is not None]
    large = [case for case in cases if restored(case) >= ROLLBACK_FILES]
    times = [
        case.rollback_ms * ROLLBACK_FILES / restored(case)
        for case in large
        if case.rollback_ms is not None
    ]
    if times:
        return judged_on_worst(spread(times, (case.fs for case in large)))
    return Measured(aside=max((float(restored(case)) for case in cases), default=None))


def _window(simulation: Simulation, *, reflink: bool) -> Measured:
    windows = [w for w in simulation.windows if (w.fs in REFLINK) == reflink and w.saves > 0]
    if not windows:
        return Measured()
    return Measured(
        value=max(window.p99_ms for window in windows),
        n=sum(window.saves for window in windows),
        where=tuple(sorted({window.fs for window in windows})),
        worst=max(window.worst_ms for window in windows),
    )


def window_reflink(simulation: Simulation, _names: tuple[str, ...] = ()) -> Measured:
    return _window(simulation, reflink=True)


def window_copy(simulation: Simulation, _names: tuple[str, ...] = ()) -> Measured:
    return _window(simulation, reflink=False)


def _honest_stopped(works: Sequence[HonestResult]) -> Measured:
    if not works:
        return Measured()
    return Measured(
        value=float(sum(work.stopped for work in works)),
        n=len(works),
        where=tuple(sorted({work.fs for work in works})),
    )


def honest_stopped_tuned(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    works = honest_run(simulation, held_out=False)
    return _honest_stopped([work for work in works if chosen(work.name, names)])


def honest_stopped_held_out(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    works = honest_run(simulation, held_out=True)
    return _honest_stopped([work for work in works if chosen(work.name, names)])


def slowdown(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    """Judged on the worst workload of its kind, on any file system."""
    works = [
        work
        for held_out in (False, True)
        for work in honest_run(simulation, held_out=held_out)
        if work.slowdown is not None and chosen(work.name, names)
    ]
    ratios = [work.slowdown for work in works if work.slowdown is not None]
    return judged_on_worst(spread(ratios, (work.fs for work in works)))


def care_time(simulation: Simulation, names: tuple[str, ...] = ()) -> Measured:
    """A part of the chain that failed never came about: infinitely long."""
    parts = [part for part in simulation.care if chosen(part.name, names)]
    known = [part.ms for part in parts if part.ok]
    return judged_on_worst(spread(known, (), never=len(parts) - len(known)))


MEASURES: dict[str, Measure] = {
    "care_time": care_time,
    "files_lost": files_lost,
    "files_touched": files_touched,
    "honest_stopped_held_out": honest_stopped_held_out,
    "honest_stopped_tuned": honest_stopped_tuned,
    "newest_save_lost": newest_save_lost,
    "not_as_before": not_as_before,
    "rollback_of_1000": rollback_of_1000,
    "slowdown": slowdown,
    "stop_delay": stop_delay,
    "window_copy": window_copy,
    "window_reflink": window_reflink,
    "worst_touched": worst_touched,
}
