"""What a run put on the machine, written down before it is done, so that the next start can undo it.

A run that ends by itself or by Ctrl-C clears its own ledger. After kill -9 the next start reads the ledgers whose
run is dead: processes first (by pid *and* start time), then mounts, loop devices, network, folders.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil

_DEATH_SECONDS = 5.0


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to undo. `kind`: process, mount, loop, netns, link, nft, folder."""

    kind: str
    name: str  # pid, mount point, image file, namespace, link, table or folder
    started: float = 0.0  # of a process


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger as it stands on disk."""

    id: str
    pid: int
    started: float
    items: tuple[Item, ...] = ()
    served: bool = False  # its console was left running on purpose


def home() -> Path:
    """Where runs keep ledgers; one per user, so that nobody undoes another's run."""
    if os.geteuid() == 0:
        return Path("/run/releve-sim")
    return Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp")) / f"releve-sim-{os.geteuid()}"  # noqa: S108


def room() -> Path:
    """Where images, mounts and shares are: on a disk, not in the memory-backed /run."""
    return Path(f"/var/tmp/releve-sim-{os.geteuid()}")  # noqa: S108


def process_started(pid: int) -> float | None:
    """Start time of a live process, None if there is none (a zombie is none)."""
    try:
        found = psutil.Process(pid)
        return None if found.status() == psutil.STATUS_ZOMBIE else found.create_time()
    except psutil.Error:
        return None


class Ledger:
    """The ledger of this run. Every `note` is on disk before it returns."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.folder = room() / run
        self.file = home() / f"{run}.json"
        self._items: list[Item] = []
        home().mkdir(mode=0o755, parents=True, exist_ok=True)
        self._write()
        self.note("folder", str(self.folder))
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)

    def note(self, kind: str, name: str) -> None:
        """Write down a thing about to be made (a process: just made)."""
        started = process_started(int(name)) or 0.0 if kind == "process" else 0.0
        self._items.append(Item(kind=kind, name=name, started=started))
        self._write()

    def forget(self, kind: str, name: str) -> None:
        """It was undone by the caller."""
        self._items = [item for item in self._items if (item.kind, item.name) != (kind, name)]
        self._write()

    def clear(self, keep: frozenset[tuple[str, str]] = frozenset(), keeper: int = 0) -> list[str]:
        """Undo everything but `keep`; returns what could not be undone.

        With `keep` the run lives on as long as the process `keeper` does, until `--stop`.
        """
        kept = [item for item in self._items if (item.kind, item.name) in keep]
        left = undo([item for item in self._items if item not in kept])
        if kept:
            self._items = kept
            self._write(keeper, served=True)
        elif not left:
            self.file.unlink(missing_ok=True)
        return left

    def _write(self, pid: int = 0, *, served: bool = False) -> None:
        pid = pid or os.getpid()
        run = Run(
            id=self.run,
            pid=pid,
            started=process_started(pid) or 0.0,
            items=tuple(self._items),
            served=served,
        )
        temporary = self.file.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(run))
        temporary.replace(self.file)


def dead_runs() -> list[Path]:
    """Ledgers whose run is no more."""
    found = []
    for file in sorted(home().glob("sim-*.json")):
        run = _read(file)
        if run is None or process_started(run.pid) != run.started:
            found.append(file)
    return found


def clean_dead() -> list[str]:
    """Undo what dead runs left; returns the ids of the runs cleaned."""
    cleaned = []
    for file in dead_runs():
        run = _read(file)
        if run is None or not undo(list(run.items)):
            file.unlink(missing_ok=True)
            cleaned.append(file.stem)
    return cleaned


def stop_served() -> list[str]:
    """End the runs whose console was left running on purpose; returns their ids."""
    stopped = []
    for file in sorted(home().glob("sim-*.json")):
        run = _read(file)
        if run and run.served and not undo(list(run.items)):
            file.unlink(missing_ok=True)
            stopped.append(run.id)
    return stopped


def _read(file: Path) -> Run | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Run)
    except (OSError, msgspec.DecodeError):
        return None


def undo(items: list[Item]) -> list[str]:
    """Undo in the order that works: processes, mounts, loops, network, folders; newest first in each."""
    left: list[str] = []
    for kind, action in _ACTIONS.items():
        chosen = [item for item in reversed(items) if item.kind == kind]
        if kind == "process":
            _end_processes(chosen)
            continue
        left += [f"{kind} {item.name}" for item in chosen if not action(item.name)]
    return left


def _end_processes(items: list[Item]) -> None:
    """SIGTERM, then SIGKILL, only to the very processes that were written down."""
    alive = [item for item in items if process_started(int(item.name)) == item.started]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for item in alive:
            _signal(int(item.name), item.started, number)
        deadline = time.monotonic() + _DEATH_SECONDS
        while alive and time.monotonic() < deadline:
            alive = [item for item in alive if process_started(int(item.name)) == item.started]
            time.sleep(0.01)


def _signal(pid: int, started: float, number: int) -> None:
    """By pidfd, checked after it was opened: a reused pid is never hit."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if process_started(pid) == started:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def _tool(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _unmount(path: str) -> bool:
    for _ in range(20):
        if not os.path.ismount(path):
            return True
        if not _tool("umount", path):
            time.sleep(0.1)
    _tool("umount", "--lazy", path)
    return not os.path.ismount(path)


def _detach(image: str) -> bool:
    """Detach every loop device that still shows this image."""
    listed = subprocess.run(
        ["losetup", "--noheadings", "--output", "NAME", "--associated", image],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    detached = [_tool("losetup", "--detach", device) for device in listed.stdout.split()]
    return all(detached)


def _drop_namespace(name: str) -> bool:
    _tool("ip", "netns", "delete", name)
    return not Path("/run/netns", name).exists()


def _drop_link(name: str) -> bool:
    _tool("ip", "link", "delete", name)
    return not Path("/sys/class/net", name).exists()


def _drop_table(name: str) -> bool:
    _tool("nft", "delete", "table", *name.split())
    return True


def _remove(folder: str) -> bool:
    path = Path(folder)
    if path.parent not in (home(), room()):
        return False  # a damaged ledger must never remove anything else
    with contextlib.suppress(OSError):
        for inside in sorted(path.rglob("*"), reverse=True):
            if inside.is_dir() and not inside.is_symlink() and inside.is_mount():
                return False
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


_ACTIONS: dict[str, Callable[[str], bool]] = {
    "process": lambda _: True,
    "mount": _unmount,
    "loop": _detach,
    "netns": _drop_namespace,
    "link": _drop_link,
    "nft": _drop_table,
    "folder": _remove,
}
