"""One attack on one file system: fresh share, guard, manifest, go, wait, compare."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from releve.apps.simulate import manifest
from releve.apps.simulate.arena import Arena
from releve.apps.simulate.attacks import by_name
from releve.apps.simulate.attacks.breaking import ALIAS, OUTSIDE
from releve.apps.simulate.corpus.tree import DOCTOR, GROUP, SECRETARY, build
from releve.apps.simulate.guard_process import GuardFailedError, GuardProcess
from releve.apps.simulate.holder import Order
from releve.apps.simulate.ledger import Ledger
from releve.apps.simulate.places import Place
from releve.apps.simulate.profile import Profile, SkipProfile
from releve.model.lines import Alert, GuardLine, RolledBack, Stopped
from releve.model.proof import AttackResult

_READY_SECONDS = 60.0
_QUIET_SECONDS = 0.4  # after the last rollback with nobody left
_DOUBT_SECONDS = 5.0  # an attack that ended by itself: the slow walk of the guard needs its time
_ROLLBACK_SECONDS = 20.0
_COMPANION_SECONDS = 20.0
_IDLE_SECONDS = 1.5
_OVER = "family_ended"  # nobody was left to stop


class Ground(msgspec.Struct, kw_only=True):
    """Where attacks run: a place, its master copies (one per size), and how the guard is started."""

    ledger: Ledger
    place: Place
    work: Path  # of the run, outside the place's protected folders
    portable: bool
    as_users: bool  # root can become the practice's users
    seed: int = 7
    files: int = 2_000
    guarded: bool = True
    full: bool = False  # profiles with a share of their own size get it; else all use the usual one
    listener: Callable[[GuardLine], None] | None = None
    masters: dict[int, Path] = {}
    failures: list[str] = []  # of the guard: it did not start

    def master(self, files: int) -> Path:
        """The share as it shall be, built once per size on the same file system."""
        if files not in self.masters:
            folder = self.place.root / f"modele-{files}"
            build(folder, run=self.ledger.run, seed=self.seed, files=files)
            self.masters[files] = folder
        return self.masters[files]


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of one attack."""

    share: Path
    store: Path
    work: Path  # keys, log: the attackers' own


def make_scene(ground: Ground, name: str, files: int) -> Scene:
    """A fresh copy of the share, empty folders beside it."""
    base = ground.place.root / "scene"
    scene = Scene(share=base / "partage", store=ground.place.root / "tenu", work=ground.work / name)
    clear_scene(ground, scene)
    base.mkdir()
    master = ground.master(files)
    subprocess.run(["cp", "-a", "--reflink=auto", str(master), str(scene.share)], check=True)
    for folder in (
        base / OUTSIDE,
        base / ALIAS,
        scene.work,
        scene.work / "keys",
        scene.work / "gnupg",
    ):
        folder.mkdir(parents=True, exist_ok=True)
        if ground.as_users:
            os.chown(folder, DOCTOR, GROUP)
            folder.chmod(0o2770 if folder.name != "gnupg" else 0o700)
    (scene.work / "attack.log").touch()
    (scene.work / "attack.log").chmod(0o666)
    if ground.as_users:
        os.chown(base, DOCTOR, GROUP)
    return scene


def clear_scene(ground: Ground, scene: Scene) -> None:
    """Remove what an earlier attack left on the place."""
    for folder in (scene.share.parent, scene.store, scene.work):
        shutil.rmtree(folder, ignore_errors=True)
    if ground.place.fs == "btrfs":  # a subvolume inside resists rmtree when it is not empty
        subprocess.run(["rm", "-rf", str(scene.share.parent)], check=False, capture_output=True)


def missing_needs(profile: Profile) -> str:
    """Which programs are missing here, as a French reason; empty if none."""
    missing = [need for need in profile.needs if shutil.which(need) is None]
    return f"{', '.join(missing)} n'est pas installé" if missing else ""


def run_attack(ground: Ground, profile: Profile) -> AttackResult:
    """Run it; what cannot run here comes back with `skipped`."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    reason = missing_needs(profile)
    if profile.only_fs and ground.place.fs not in profile.only_fs:
        reason = f"n'a de sens que sur {', '.join(profile.only_fs)}"
    if reason:
        return skipped(profile, ground.place.fs, reason)
    scene = make_scene(
        ground, f"{profile.name}-{ground.place.fs}", (ground.full and profile.files) or ground.files
    )
    try:
        if profile.prepare:
            profile.prepare(scene.share)
        result = _attack(ground, profile, scene)
    except SkipProfile as why:
        return skipped(profile, ground.place.fs, str(why))
    except GuardFailedError as why:
        ground.failures.append(str(why))
        return skipped(profile, ground.place.fs, str(why))
    finally:
        with contextlib.suppress(OSError):
            clear_scene(ground, scene)
    return msgspec.structs.replace(result, started_at=started)


def skipped(profile: Profile, fs: str, reason: str) -> AttackResult:
    """A result that says only why nothing was measured."""
    return AttackResult(
        name=profile.name, fs=fs, kind=profile.kind, files_touched=0, files_lost=0, newest_save_lost=0,
        first_write_to_stop_ms=None, rollback_ms=None, stopped=False, skipped=reason,
    )  # fmt: skip


def _attack(ground: Ground, profile: Profile, scene: Scene) -> AttackResult:
    arena = Arena(ground.ledger, ground.work / "arena.err")
    guard = None
    try:
        if ground.guarded:
            guard = GuardProcess(
                ground.ledger, scene.share, store=scene.store, scope=arena.scope, portable=ground.portable,
                errors=ground.work / "guard.err", listener=ground.listener,
            )  # fmt: skip
            guard.wait_ready(_READY_SECONDS)
        before = manifest.take(scene.share)
        _go(arena, guard, ground, profile, scene)
        lines = tuple(guard.lines) if guard else ()
        troubles = troubles_of(arena, guard)
        after = manifest.take(
            scene.share
        )  # while the guard still stands: it clears its own away at its end
    finally:
        arena.close()
        if guard:
            guard.stop()
    skip = scene.work / "skipped"
    if skip.exists():
        raise SkipProfile(skip.read_text(encoding="utf-8"))
    kept = [_inside(path, scene.share) for path in _beside(lines)]
    log = manifest.read_log(scene.work / "attack.log")
    verdict = manifest.compare(before, after, log, kept=kept)
    inside = manifest.database_verdict(scene.share, log)
    verdict = manifest.Verdict(
        lost=verdict.lost + inside.lost,
        newest_save_lost=verdict.newest_save_lost + inside.newest_save_lost,
        wrong=verdict.wrong + inside.wrong,
    )
    originals = sum(name in before or name.startswith((ALIAS, OUTSIDE)) for name in log.touched)
    result = conclude(profile, ground.place.fs, originals, verdict, lines)
    return msgspec.structs.replace(result, wrong=(*troubles, *result.wrong))


def troubles_of(arena: Arena, guard: GuardProcess | None) -> list[str]:
    """What went wrong beside the files, in words."""
    found = []
    if guard and not guard.is_alive():
        found.append(f"le gardien s'est arrêté pendant l'attaque : {guard.last_words()}")
    if guard and guard.unreadable:
        found.append(f"{guard.unreadable} lignes du gardien illisibles")
    if not arena.is_alive():
        found.append("tout l'espace des attaquants a été tué, travail honnête compris")
    if guard:
        errors = [
            line
            for line in guard.lines
            if isinstance(line, Alert) and line.kind == "internal_error"
        ]
        found += [f"{len(errors)} x {errors[0].why}"] if errors else []
    return found


def _beside(lines: tuple[GuardLine, ...]) -> list[str]:
    return [path for line in lines if isinstance(line, RolledBack) for path in line.kept_both]


def _inside(path: str, share: Path) -> str:
    return str(Path(path).relative_to(share)) if Path(path).is_relative_to(share) else path


def _go(
    arena: Arena, guard: GuardProcess | None, ground: Ground, profile: Profile, scene: Scene
) -> None:
    """Start companions, then the attack; wait until all is over and the guard is quiet."""
    companions = {}
    for name in profile.beside:
        row = by_name(name)
        if row is not None:
            pid = arena.start(_order(ground, row, scene, SECRETARY))
            companions[pid] = name
    if companions:
        time.sleep(0.3)  # a flood is on before the attack begins
    main = arena.start(_order(ground, profile, scene, DOCTOR))
    ended = _until_over(arena, guard, main, profile, set(companions), scene.work / "attack.log")
    (scene.work / "over").touch()
    _companions_end(arena, companions, ended)
    until_quiet(guard)


def _order(ground: Ground, profile: Profile, scene: Scene, user: int) -> Order:
    return Order(
        kind="attack",
        name=profile.name,
        share=str(scene.share),
        work=str(scene.work),
        user=user if ground.as_users else -1,
        group=GROUP if ground.as_users else -1,
        limit=profile.limit,
    )


def _until_over(
    arena: Arena,
    guard: GuardProcess | None,
    main: int,
    profile: Profile,
    companions: set[int],
    log: Path,
) -> set[int]:
    """Until the attack and its children are gone, or its time is up; returns who has ended.

    A service that the attack left behind (gpg's agent) and that destroys nothing is not waited for.
    """
    ended: set[int] = set()
    seconds = profile.seconds
    size, grown = 0, time.monotonic()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and arena.is_alive():
        answer = arena.wait(0.05)
        if answer and answer.what == "ended":
            ended.add(answer.pid)
        moving = len(arena.others(frozen=False))
        if moving <= len(companions - ended) and (main in ended or _was_stopped(guard)):
            break
        if main in ended and grown + _IDLE_SECONDS < time.monotonic():
            break
        if log.stat().st_size != size:
            size, grown = log.stat().st_size, time.monotonic()
        if guard and not guard.is_alive():
            break
    return ended


def _was_stopped(guard: GuardProcess | None) -> bool:
    """The guard has acted: who does not move any more is frozen and waits for a person."""
    return guard is not None and any(isinstance(line, Stopped) for line in guard.lines)


def _companions_end(arena: Arena, companions: dict[int, str], ended: set[int]) -> None:
    """Honest people finish their work; decoys see that it is over."""
    left = set(companions) - ended
    deadline = time.monotonic() + _COMPANION_SECONDS
    while left and time.monotonic() < deadline and arena.is_alive():
        answer = arena.wait(0.2)
        if answer and answer.what == "ended":
            left.discard(answer.pid)


def until_quiet(guard: GuardProcess | None) -> None:
    """Every stop has its rollback and nothing more comes; an unstopped attack gets the time of a slow walk."""
    if guard is None:
        return
    begun = time.monotonic()
    last = begun
    while time.monotonic() - begun < _ROLLBACK_SECONDS and guard.is_alive():
        line = guard.next_line(0.1)
        if line is not None:
            last = time.monotonic()
        stops = sum(isinstance(line, Stopped) for line in guard.lines)
        undone = sum(isinstance(line, RolledBack) for line in guard.lines)
        calm = time.monotonic() - last
        if stops and undone >= stops and calm > _QUIET_SECONDS:
            return
        if not stops and time.monotonic() - begun > _DOUBT_SECONDS:
            return


def conclude(
    profile: Profile,
    fs: str,
    originals: int,
    verdict: manifest.Verdict,
    lines: tuple[GuardLine, ...],
) -> AttackResult:
    """The figures of one attack. `originals`: by the attack's own log; 0 if its program keeps none."""
    found = [line for line in lines if isinstance(line, Stopped)]
    stops = [line for line in found if line.action not in {"would_stop", "none"}]
    over = {line.family for line in lines if isinstance(line, Alert) and line.kind == _OVER}
    rollbacks = [line for line in lines if isinstance(line, RolledBack)]
    touched = originals or sum(line.files_touched for line in found)
    return AttackResult(
        name=profile.name,
        fs=fs,
        kind=profile.kind,
        files_touched=touched,
        files_lost=len(verdict.lost),
        newest_save_lost=len(verdict.newest_save_lost),
        first_write_to_stop_ms=max((line.first_write_to_stop_ms for line in stops), default=None),
        rollback_ms=sum(line.rollback_ms for line in rollbacks) if rollbacks else None,
        stopped=bool(stops),
        over=bool(found) and not stops and all(line.family in over for line in found),
        wrong=verdict.wrong[:20],
        lines=lines,
        condition=profile.condition,
    )
