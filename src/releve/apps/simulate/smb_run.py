"""The attack that hospitals fear most: a client machine encrypts the file server's share over SMB.

The box serves the share inside the attackers' PID namespace; two client machines are network namespaces. One
encrypts (get, encrypt, put back, rename), the other works honestly: its edits must all stay.
"""

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from releve.apps.box.lab import Lab, Person
from releve.apps.simulate import manifest
from releve.apps.simulate.arena import Arena
from releve.apps.simulate.attack_run import (
    Ground,
    Scene,
    clear_scene,
    conclude,
    make_scene,
    skipped,
    troubles_of,
    until_quiet,
)
from releve.apps.simulate.attacks.network import SMB
from releve.apps.simulate.field import Field
from releve.apps.simulate.guard_process import GuardProcess
from releve.model.errors import ReleveError
from releve.model.lines import Stopped
from releve.model.proof import AttackResult

_READY_SECONDS = 60.0
_SESSION_SECONDS = 40.0
_REACH_SECONDS = 15.0
_PUT = re.compile(r".*putting file .* as (\\.*) \([\d.,]+ kb/s\) \(average")
_VICTIMS, _EDITS = 60, 30


def run_smb(ground: Ground) -> AttackResult:
    """Run it on this place; what cannot run here comes back with `skipped`."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    missing = [need for need in SMB.needs if shutil.which(need) is None]
    if missing or os.geteuid() != 0:
        why = f"{', '.join(missing)} n'est pas installé" if missing else "il faut root"
        return skipped(SMB, ground.place.fs, why)

    Lab.sweep()
    scene = make_scene(ground, f"smb-{ground.place.fs}", ground.files)
    arena = Arena(ground.ledger, ground.work / "arena.err")
    try:
        with Lab(scene.share, scope_pid=arena.scope) as lab:
            result = _attack(ground, scene, arena, lab)
    except (ReleveError, OSError, subprocess.SubprocessError) as why:
        return skipped(SMB, ground.place.fs, str(why).replace("\n", " ")[:200])
    finally:
        arena.close()
        with contextlib.suppress(OSError):
            clear_scene(ground, scene)
    return msgspec.structs.replace(result, started_at=started)


def _attack(ground: Ground, scene: Scene, arena: Arena, lab: Lab) -> AttackResult:
    field = Field(scene.share, scene.work)
    letters = [path for path in field.writable() if path.suffix == ".txt" and '"' not in path.name]
    guard = GuardProcess(
        ground.ledger, scene.share, store=scene.store, scope=arena.scope, portable=False,
        errors=ground.work / "guard.err", listener=ground.listener,
    )  # fmt: skip
    try:
        guard.wait_ready(_READY_SECONDS)
        before = manifest.take(scene.share)
        honest, evil = lab.people
        colleague = threading.Thread(
            target=_work, args=(honest, field, letters[-_EDITS:], arena.scope)
        )
        colleague.start()
        _encrypt(evil, field, letters[:_VICTIMS], arena.scope)
        colleague.join()
        time.sleep(0.3)
        until_quiet(guard)
        lines = tuple(guard.lines)
        troubles = troubles_of(arena, guard)
        if not _can_reach(honest, arena.scope):
            troubles.append("l'autre poste n'a plus accès au partage")
        if any(isinstance(line, Stopped) for line in lines) and _can_reach(evil, arena.scope):
            troubles.append("le poste chiffreur a encore accès au partage")
        after = manifest.take(scene.share)
    finally:
        guard.stop()
    log = manifest.read_log(scene.work / "attack.log")
    verdict = manifest.compare(before, after, log)
    result = conclude(SMB, ground.place.fs, len(log.touched), verdict, lines)
    return msgspec.structs.replace(result, wrong=(*troubles, *result.wrong))


def _session(person: Person, scope: int, commands: list[str]) -> subprocess.Popen[str]:
    """Smbclient on the person's machine, its process shut into the attackers' namespace."""
    words = ["nsenter", "--target", str(scope), "--pid", *person.smbclient()]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    threading.Thread(target=_type, args=(process, commands), daemon=True).start()
    return process


def _type(process: subprocess.Popen[str], commands: list[str]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.write("\n".join(commands) + "\n")
            process.stdin.close()


def _finish(process: subprocess.Popen[str]) -> list[str]:
    """What it said until its end; a session that hangs (its machine is shut out) is ended."""
    deadline = threading.Timer(_SESSION_SECONDS, process.kill)
    deadline.start()
    said = list(process.stdout or ())
    deadline.cancel()
    process.wait()
    return said


def _encrypt(person: Person, field: Field, victims: list[Path], scope: int) -> None:
    """Get all, encrypt here, then put each back and rename it, in one connection."""
    local = field.work / "poste"
    local.mkdir(exist_ok=True)
    names = {_name(path, field): local / f"{k}" for k, path in enumerate(victims)}
    reading = _session(person, scope, [f'get "{name}" {copy}' for name, copy in names.items()])
    _finish(reading)
    for copy in names.values():
        if copy.exists():
            copy.write_bytes(field.encrypt(copy.read_bytes(), copy.name))
    orders = []
    for name, copy in names.items():
        orders += [f'put {copy} "{name}"', f'rename "{name}" "{name}.locked"']
    writing = _session(person, scope, orders)
    for name in _taken(writing, names):
        field.destroying(field.share / name.replace("\\", "/"))


def _taken(session: subprocess.Popen[str], names: Iterable[str]) -> Iterator[str]:
    """The names whose `put` the server took, as smbclient says them; ends with the session."""
    deadline = threading.Timer(_SESSION_SECONDS, session.kill)
    deadline.start()
    known = {f"\\{name}": name for name in names}
    for line in session.stdout or ():
        said = _PUT.match(line)
        if said and said[1] in known:
            yield known[said[1]]
    deadline.cancel()
    session.wait()


def _work(person: Person, field: Field, letters: list[Path], scope: int) -> None:
    """The colleague: 30 letters read, completed and saved, one after the other."""
    local = field.work / "collegue"
    local.mkdir(exist_ok=True)
    saves: dict[str, tuple[Path, Path]] = {}
    for number, path in enumerate(letters):
        copy = local / f"{number}"
        copy.write_bytes(path.read_bytes() + f"\nRevu le {number + 1} mars.\n".encode())
        saves[_name(path, field)] = (path, copy)
    orders = [f'put {copy} "{name}"' for name, (_, copy) in saves.items()]
    for name in _taken(_session(person, scope, orders), saves):
        path, copy = saves[name]
        field.saved(path, copy.read_bytes())


def _name(path: Path, field: Field) -> str:
    """As smbclient writes it."""
    return str(path.relative_to(field.share)).replace("/", "\\")


def _can_reach(person: Person, scope: int) -> bool:
    words = ["nsenter", "--target", str(scope), "--pid", *person.smbclient("ls")]
    try:
        done = subprocess.run(words, capture_output=True, check=False, timeout=_REACH_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
