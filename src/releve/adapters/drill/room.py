"""The disposable clean room: root only, beside the live data, which it cannot write to."""

import datetime as dt
import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from releve.adapters.private import is_ours
from releve.flow.drill.ports import RoomError
from releve.model.drill import Moment

_INTACT = ".restored-here"


class CleanRoom:
    """Room: a folder of one drill, refused where it could touch or be touched by live data."""

    def __init__(self, folder: str, live: Sequence[str]) -> None:
        """Make it, or enter the one that an earlier life left. Raises: RoomError."""
        self._top = Path(os.path.realpath(folder))
        for one in map(Path, map(os.path.realpath, live)):
            inside = one != Path("/") and self._top.is_relative_to(one)
            if inside or one.is_relative_to(self._top):
                raise RoomError(folder, "it lies in the backed-up data, or the data in it")
        try:
            self._top.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._top.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise RoomError(folder, error.strerror or "it cannot be made") from error
        if self._top.is_symlink() or not is_ours(self._top) or self._top.stat().st_mode & 0o077:
            raise RoomError(folder, "others than root could enter it or move it")

    @property
    def path(self) -> str:
        return str(self._top)

    def folder(self, name: str) -> str:
        place = self._top / name
        place.mkdir(mode=0o700, exist_ok=True)
        return str(place)

    def home(self, path: str) -> str:
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        return self.folder(f"live-{digest}")

    def folder_for_scratch(self) -> str:
        """For copies and a scratch server; it says nothing about what was restored."""
        place = self._top / "scratch"
        place.mkdir(mode=0o700, exist_ok=True)
        return str(place)

    def mark(self) -> None:
        (self._top / _INTACT).touch(mode=0o600)

    def is_intact(self) -> bool:
        return (self._top / _INTACT).exists()

    def free(self) -> int:
        return shutil.disk_usage(self._top).free

    def remove(self) -> None:
        """Folders that were backed up without the right to write in them are given it first."""
        for parent, folders, _ in os.walk(self._top):
            for name in folders:
                if not (place := Path(parent, name)).is_symlink():
                    place.chmod(0o700)
        shutil.rmtree(self._top, ignore_errors=False)


class BootTicks:
    """Ticks: wall clock, and a clock that counts since the start of the machine, sleep included."""

    def __init__(self) -> None:
        try:
            self._boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            self._boot = "unknown"

    def moment(self) -> Moment:
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return Moment(
            at=dt.datetime.now(dt.UTC), steady_s=time.clock_gettime(clock), boot=self._boot
        )
