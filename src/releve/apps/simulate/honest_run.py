"""The honest workloads on one file system: each without the guard, then the same with it."""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from releve.apps.simulate.arena import Arena
from releve.apps.simulate.attack_run import Ground
from releve.apps.simulate.corpus.tree import GROUP, SECRETARY
from releve.apps.simulate.guard_process import GuardFailedError, GuardProcess
from releve.apps.simulate.holder import Order
from releve.apps.simulate.honest.desk import PATH
from releve.apps.simulate.mark import write_mark
from releve.apps.simulate.profile import Workload
from releve.model.lines import Alert, Stopped, Window
from releve.model.proof import HonestResult, WindowResult

_READY_SECONDS = 60.0
_WORK_SECONDS = 120.0
_VERDICT_SECONDS = 0.7  # the judge may still be busy when the work ends


class HonestDay(msgspec.Struct, frozen=True, kw_only=True):
    """All workloads of one file system under one guard, as one day at the practice."""

    results: tuple[HonestResult, ...]
    windows: tuple[WindowResult, ...]


def run_honest(
    ground: Ground, workloads: Iterable[Workload], tell: Callable[[HonestResult], None]
) -> HonestDay:
    """Run them in order; a stop starts the day anew, since a stop lowers the threshold for an hour."""
    left = list(workloads)
    results: list[HonestResult] = []
    windows: list[WindowResult] = []
    while left:
        try:
            done = _day(ground, left, results, windows, tell)
        except GuardFailedError as why:
            ground.failures.append(str(why))
            for workload in left:
                result = _not_shown(workload, ground.place.fs, str(why))
                results.append(result)
                tell(result)
            break
        left = left[done:]
    return HonestDay(results=tuple(results), windows=tuple(windows))


def _day(
    ground: Ground,
    workloads: list[Workload],
    results: list[HonestResult],
    windows: list[WindowResult],
    tell: Callable[[HonestResult], None],
) -> int:
    """Run until the first stop or the end; returns how many were run."""
    base = ground.place.root / "jour"
    shutil.rmtree(base, ignore_errors=True)
    master = ground.master(ground.files)
    shares = {on: base / ("garde" if on else "libre") for on in (False, True)}
    reasons: dict[str, str] = {}
    for share in shares.values():
        share.mkdir(parents=True)
        write_mark(share, ground.ledger.run)
        for workload in workloads:
            reasons[workload.name] = prepare_area(workload, share / workload.name, master, ground)
    work = ground.work / "honest"
    work.mkdir(exist_ok=True)
    arena = Arena(ground.ledger, ground.work / "arena.err")
    guard = None
    count = 0
    try:
        guard = _start_guard(ground, arena, shares[True])
        for workload in workloads:
            count += 1
            result = _one(ground, arena, guard, workload, shares, reasons[workload.name])
            results.append(result)
            tell(result)
            if result.stopped:
                break
    finally:
        arena.close()
        if guard is not None:
            guard.stop()
            windows += _windows(guard, ground.place.fs)
        shutil.rmtree(base, ignore_errors=True)
        shutil.rmtree(ground.place.root / "tenu", ignore_errors=True)
    return count


def _start_guard(ground: Ground, arena: Arena, share: Path) -> GuardProcess:
    guard = GuardProcess(
        ground.ledger, share, store=ground.place.root / "tenu", scope=arena.scope,
        portable=ground.portable, errors=ground.work / "guard.err", listener=ground.listener,
    )  # fmt: skip
    guard.wait_ready(_READY_SECONDS)
    return guard


def prepare_area(workload: Workload, area: Path, master: Path, ground: Ground) -> str:
    """Fill the area; returns why the workload cannot run here, empty if it can."""
    missing = [need for need in workload.needs if shutil.which(need, path=PATH) is None]
    if missing:
        return f"{', '.join(missing)} n'est pas installé"
    if workload.as_root and not ground.as_users:
        return "il faut root"
    area.mkdir()
    workload.prepare(area, master)
    if ground.as_users:
        for path in (area, *area.rglob("*")):
            if not path.is_symlink():
                os.chown(path, SECRETARY, GROUP)
    return ""


def _one(
    ground: Ground,
    arena: Arena,
    guard: GuardProcess,
    workload: Workload,
    shares: dict[bool, Path],
    reason: str,
) -> HonestResult:
    name, fs = workload.name, ground.place.fs
    if reason:
        return _not_shown(workload, fs, reason)
    seen = len(guard.lines)
    free, _ = timed(ground, arena, workload, shares[False])
    guarded, status = timed(ground, arena, workload, shares[True])
    time.sleep(_VERDICT_SECONDS)
    stops = [line for line in guard.lines[seen:] if isinstance(line, Stopped)]
    alerts = [line for line in guard.lines[seen:] if isinstance(line, Alert)]
    failed = "" if status == 0 or stops else f"le travail a échoué (statut {status})"
    return HonestResult(
        name=name,
        fs=fs,
        stopped=bool(stops),
        slowdown=guarded / free if free and guarded and not stops else None,
        held_out=workload.held_out,
        wanted_stop=workload.wanted_stop,
        points=sum(point.score for line in stops for point in line.points),
        skipped=failed,
        why=tuple(point.why for line in stops for point in line.points)[:12],
        alerts=tuple(dict.fromkeys(line.kind for line in alerts)),
    )


def _not_shown(workload: Workload, fs: str, reason: str) -> HonestResult:
    return HonestResult(
        name=workload.name,
        fs=fs,
        stopped=False,
        slowdown=None,
        held_out=workload.held_out,
        wanted_stop=workload.wanted_stop,
        skipped=reason,
    )


def timed(ground: Ground, arena: Arena, workload: Workload, share: Path) -> tuple[float, int]:
    """Seconds from start to end inside the namespace, and the status (0: it worked)."""
    user = SECRETARY if ground.as_users and not workload.as_root else -1
    order = Order(
        kind="honest",
        name=workload.name,
        share=str(share),
        work=str(ground.work / "honest"),
        area=str(share / workload.name),
        user=user,
        group=GROUP if user >= 0 else -1,
    )
    arena.start(order)
    begun = time.monotonic()
    while time.monotonic() - begun < _WORK_SECONDS:
        answer = arena.wait(1.0)
        if answer and answer.what == "ended":
            return answer.took_ns / 1e9, answer.status
    return 0.0, -1


def _windows(guard: GuardProcess, fs: str) -> list[WindowResult]:
    """The guard's own figure over the day: the worst of its periods."""
    lines = [line for line in guard.lines if isinstance(line, Window) and line.saves]
    if not lines:
        return []
    return [
        WindowResult(
            fs=fs,
            saves=sum(line.saves for line in lines),
            p50_ms=sorted(line.p50_ms for line in lines)[len(lines) // 2],
            p99_ms=max(line.p99_ms for line in lines),
            worst_ms=max(line.worst_ms for line in lines),
        )
    ]
