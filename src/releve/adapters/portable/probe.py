"""What can be asked of processes: by /proc on Linux, by psutil elsewhere."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import msgspec
import psutil

_DELETED: Final = " (deleted)"
_MOST_FILES: Final = 512


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One process. `eligible`: it may be accused and stopped."""

    pid: int
    start_ns: int  # on the clock of the hands that may stop it
    parent: int
    uid: int
    exe: str
    program: str
    eligible: bool

    @property
    def key(self) -> tuple[int, int]:
        return self.pid, self.start_ns


class Probe(Protocol):
    """Questions about processes; none of them raises."""

    def pids(self) -> Sequence[int]: ...
    def see(self, pid: int) -> Seen | None: ...
    def is_alive(self, seen: Seen) -> bool: ...
    def now_ns(self) -> int:
        """Now, on the clock of `Seen.start_ns`."""

    def written(self, pid: int) -> int | None:
        """Bytes that it wrote so far; None when we may not know."""

    def open_below(self, pid: int, folders: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """(path, open for writing) of its open or mapped files below the folders."""

    def is_inside(self, pid: int, folders: Sequence[str]) -> bool:
        """Its current folder lies in one of them."""


class ProcProbe:
    """Linux: /proc, a few small reads per process.

    Args:
        untouchable: says of (pid, user, program file) that it must never be accused.
    """

    def __init__(self, untouchable: Callable[[int, int, str], bool]) -> None:
        from releve.adapters.linux import procfs

        self._procfs, self._untouchable = procfs, untouchable
        self._closed: set[int] = set()  # not ours to look into, for as long as they live

    def pids(self) -> Sequence[int]:
        living = self._procfs.pids()
        self._closed &= set(living)
        return [pid for pid in living if pid not in self._closed]

    def see(self, pid: int) -> Seen | None:
        found = self._procfs.stat(pid)
        if found is None or found[0] in "ZXx":
            return None
        uid, exe = self._procfs.user(pid), self._procfs.exe(pid)
        program = os.path.basename(exe.removesuffix(_DELETED)) or found[3]
        return Seen(
            pid=pid, start_ns=found[2], parent=found[1], uid=uid, exe=exe, program=program,
            eligible=not self._untouchable(pid, uid, exe),
        )  # fmt: skip

    def is_alive(self, seen: Seen) -> bool:
        found = self._procfs.stat(seen.pid)
        return found is not None and found[0] not in "ZXx" and found[2] == seen.start_ns

    def now_ns(self) -> int:
        import time

        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def written(self, pid: int) -> int | None:
        try:
            with open(f"/proc/{pid}/io", "rb", buffering=0) as file:
                fields = file.read().split()
        except PermissionError:
            self._closed.add(pid)
            return None
        except OSError:
            return None
        if len(fields) < 12:
            return None
        # By call, or by dirtied pages where the file is written through a mapping.
        return max(int(fields[3]), int(fields[11]))

    def open_below(self, pid: int, folders: Sequence[str]) -> Iterator[tuple[str, bool]]:
        base = f"/proc/{pid}/fd"
        try:
            numbers = os.listdir(base)[:_MOST_FILES]
        except OSError:
            return
        for number in numbers:
            try:
                path = os.readlink(f"{base}/{number}").removesuffix(_DELETED)
            except OSError:
                continue
            if _below(path, folders):
                yield path, self._writes(pid, number)
        yield from self._mapped(pid, folders)

    def _writes(self, pid: int, number: str) -> bool:
        try:
            with open(f"/proc/{pid}/fdinfo/{number}", "rb", buffering=0) as file:
                fields = file.read(256).split()
        except OSError:
            return False
        # pos: N flags: OCTAL ...
        return len(fields) > 3 and bool(int(fields[3], 8) & (os.O_WRONLY | os.O_RDWR))

    def _mapped(self, pid: int, folders: Sequence[str]) -> Iterator[tuple[str, bool]]:
        try:
            # Buffered: one read(2) of it ends after 4 kB, some fifty mappings.
            with open(f"/proc/{pid}/maps", "rb") as file:
                maps = file.read(1 << 24)
        except OSError:
            return
        if b"s " not in maps:
            return
        for line in maps.split(b"\n"):
            parts = line.split(None, 5)
            if len(parts) == 6 and parts[1][1:2] == b"w" and parts[1][3:4] == b"s":
                path = parts[5].decode(errors="surrogateescape").removesuffix(_DELETED)
                if _below(path, folders):
                    yield path, True

    def is_inside(self, pid: int, folders: Sequence[str]) -> bool:
        try:
            path = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            return False
        return path in folders or _below(path, folders)


class PsutilProbe:
    """Any system that psutil knows. Slower: every question opens the process again.

    Args:
        untouchable: as for ProcProbe; user is -1 where the system has no numbers for users.
    """

    def __init__(self, untouchable: Callable[[int, int, str], bool]) -> None:
        self._untouchable = untouchable
        self._me = psutil.Process().username()

    def pids(self) -> Sequence[int]:
        return list(psutil.pids())

    def see(self, pid: int) -> Seen | None:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    return None
                user = process.username()
                exe = _or_empty(process.exe)
                uids = process.uids() if hasattr(process, "uids") else None
                uid = uids.effective if uids else -1
                mine = user == self._me
                return Seen(
                    pid=pid, start_ns=int(process.create_time() * 1e9), parent=process.ppid(), uid=uid,
                    exe=exe, program=process.name(),
                    eligible=mine and not self._untouchable(pid, uid, exe),
                )  # fmt: skip
        except (psutil.Error, OSError):
            return None

    def is_alive(self, seen: Seen) -> bool:
        try:
            process = psutil.Process(seen.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and int(process.create_time() * 1e9) == seen.start_ns
        except psutil.Error:
            return False

    def now_ns(self) -> int:
        import time

        return time.time_ns()

    def written(self, pid: int) -> int | None:
        try:
            return int(psutil.Process(pid).io_counters().write_bytes)
        except (psutil.Error, OSError, AttributeError):
            return None  # macOS has no counters per process: open files alone speak there

    def open_below(self, pid: int, folders: Sequence[str]) -> Iterator[tuple[str, bool]]:
        try:
            files = psutil.Process(pid).open_files()
        except (psutil.Error, OSError):
            return
        for file in files:
            if _below(file.path, folders):
                mode = str(getattr(file, "mode", "r+"))  # only Linux tells; elsewhere any may write
                yield file.path, any(letter in mode for letter in "wa+")

    def is_inside(self, pid: int, folders: Sequence[str]) -> bool:
        try:
            path = psutil.Process(pid).cwd()
        except (psutil.Error, OSError):
            return False
        return path in folders or _below(path, folders)


def _or_empty(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (psutil.Error, OSError):
        return ""


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path.startswith(folder + os.sep) for folder in folders)
