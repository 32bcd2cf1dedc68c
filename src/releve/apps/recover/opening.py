"""Opens a clean point as a folder: the vault's mount, the layers, the view; again after a crash."""

import contextlib
import errno
import math
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from releve.adapters.linux import mounts, overlay
from releve.adapters.linux.overlay import Overlay
from releve.adapters.restic.databases import MANIFEST, SIDE_FILES
from releve.adapters.restic.lent import LentRepository, Program
from releve.apps.recover.laying import Laying
from releve.apps.recover.state import Asked, RecoveryHome
from releve.flow.recovery.errors import MountFailedError, StillInUseError, TargetError
from releve.model.backup import DatabaseCopy, Manifest
from releve.recover.course import Cause

_END_S = 5.0


class Opening:
    """The mounts of one recovery."""

    def __init__(self, home: RecoveryHome, asked: Asked) -> None:
        self._home, self._asked = home, asked
        self.view = Overlay(str(home.path), asked.target)
        self.repository = LentRepository(asked.lent, str(home.path))

    def repository_of(self, snapshot: str) -> LentRepository:
        """That of the generation which has the snapshot."""
        other = next((o for o in self._asked.others if snapshot in o.snapshots), None)
        return LentRepository(other.lent, str(self._home.path)) if other else self.repository

    def mount_vault(self) -> tuple[Program, str]:
        """Mount the repository at a fresh place; the old one may be dead or still in use."""
        return self._mount(self.repository)

    def _mount(self, repository: LentRepository) -> tuple[Program, str]:
        numbers = [int(p.name[6:]) for p in self._home.path.glob("vault-*")]
        point = self._home.path / f"vault-{max(numbers, default=0) + 1}"
        return repository.mount(str(point)), str(point)

    @contextlib.contextmanager
    def _others(self, point: str) -> Iterator[dict[str, str]]:
        """Mount the other generations while the block is entered: by snapshot, where it shows."""
        begun, places = list[tuple[Program, str]](), dict[str, str]()
        try:
            for other in self._asked.others:
                begun.append(self._mount(self.repository_of(other.snapshots[0])))
                places |= dict.fromkeys(other.snapshots, begun[-1][1])
            yield places
        finally:
            for program, place in begun:
                self.unmount_vault(place, program, keep=point)

    def below(self, point: str) -> str:
        """The recovered folder inside the mounted repository. Raises: TargetError."""
        folder = f"{point}/ids/{self._asked.snapshot}{self._asked.folder}"
        try:
            is_folder = stat.S_ISDIR(Path(folder).stat().st_mode)
        except FileNotFoundError:
            is_folder = False
        if not is_folder:
            raise TargetError(
                self._asked.folder,
                "the snapshot has no such folder",
                "la sauvegarde n'a pas ce dossier",
            )
        return folder

    def mount_staged(self) -> None:
        """Show the view over the complete stage: the vault is needed no more."""
        self.view.lay([self.view.stage])
        self.view.mount()

    def mount_view(self, point: str) -> None:
        """Lay the snapshot below and show the view; the first time, prepare what is above."""
        folder = self.below(point)
        copies = self.copies(point)
        layers = [folder]
        if copies:
            bases = self._bases(point, self._asked.bases_snapshot)
            layers.insert(0, f"{bases}{self._asked.folder}")
        self.view.begin(folder)
        if not (self._home.path / "prepared").exists():
            self._prepare(folder, copies)
            self._lay(point, folder)
            (self._home.path / "prepared").touch()
        self.view.lay(layers)
        self.view.mount()

    def copies(self, point: str) -> list[DatabaseCopy]:
        """The consistent copies that show from below: not those that are laid, or not shown."""
        course, inside = self._asked.course, self._asked.folder.rstrip("/") + "/"
        apart: set[str] = set()
        if course is not None:
            apart = {piece.source for piece in course.pieces if piece.cause is Cause.DATABASE}
            apart |= {inside + hidden.path for hidden in course.hidden if hidden.is_database}
        every = self.copies_in(point, self._asked.bases_snapshot)
        return [copy for copy in every if copy.path not in apart]

    def copies_in(self, point: str, snapshot: str) -> list[DatabaseCopy]:
        """The consistent copies of a snapshot that belong into the folder."""
        if not self._asked.bases:
            return []
        file = Path(self._bases(point, snapshot), MANIFEST)
        try:
            manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
        except FileNotFoundError:
            return []
        except OSError as error:  # the link broke: an empty list would be wrong
            raise MountFailedError(self._asked.lent.repository, str(error)) from error
        inside = self._asked.folder.rstrip("/") + "/"
        return [copy for copy in manifest.databases if copy.path.startswith(inside)]

    def _bases(self, point: str, snapshot: str) -> str:
        return f"{point}/ids/{snapshot}{self._asked.bases}"

    def _lay(self, point: str, folder: str) -> None:
        """What comes from other snapshots, before anybody comes in; begun again after a kill.

        Raises: DiskRoomError, MountFailedError.
        """
        course = self._asked.course
        if course is None:
            return
        with self._others(point) as places:
            laying = Laying(
                course,
                ids=lambda snapshot: f"{places.get(snapshot, point)}/ids",
                below=folder,
                upper=self.view.upper,
                copies=lambda snapshot: self.copies_in(places.get(snapshot, point), snapshot),
            )
            laying.check_room(self.view.room(), self._asked.reserve)
            try:
                layer = laying.lay(self._asked.threads)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise
                raise MountFailedError(self._asked.lent.repository, str(error)) from error
        overlay.sync_all(self.view.upper)
        self._home.keep("layer.json", layer)

    def unmount_vault(self, point: str, program: Program | None, *, keep: str = "") -> None:
        """End restic's mount, and what a kill left of others; only after the view is gone."""
        if program is not None and program.lives():
            with contextlib.suppress(ProcessLookupError):
                os.kill(program.pid, signal.SIGINT)
        for place in {point, *map(str, self._home.path.glob("vault-*"))} - {keep, ""}:
            if mounts.mounted(place):
                with contextlib.suppress(OSError):
                    mounts.unmount(place, lazily=True)  # restic ends with its mount
            with contextlib.suppress(OSError):
                Path(place).rmdir()
        if program is not None:
            wait_for_end(program)

    def close_view(self, wait: Callable[[tuple[str, ...]], bool]) -> bool:
        """Unmount the view; `wait(holders)` says whether to try again. False: it is still there."""
        while True:
            try:
                self.view.unmount()
            except StillInUseError as error:
                if not wait(error.holders):
                    return False
            else:
                return True

    def _prepare(self, folder: str, copies: list[DatabaseCopy]) -> None:
        """Consistent copies shall show with the folders' own rights, and without torn logs.

        The copies' folders are root's alone in the backup; so the real ones are made above them.
        """
        for copy in copies:
            path = copy.path[len(self._asked.folder.rstrip("/")) + 1 :]
            parents = [parent for parent in reversed(Path(path).parents) if parent.name]
            for parent in parents:
                made = f"{self.view.upper}/{parent}"
                with contextlib.suppress(FileExistsError, FileNotFoundError):
                    Path(f"{folder}/{parent}").stat()
                    Path(made).mkdir(0o700)
            for side in SIDE_FILES:
                if os.path.lexists(f"{folder}/{path}{side}"):
                    with contextlib.suppress(FileExistsError):
                        overlay.hide(f"{self.view.upper}/{path}{side}")
            for parent in reversed(parents):
                with contextlib.suppress(FileNotFoundError):
                    overlay.like(f"{folder}/{parent}", f"{self.view.upper}/{parent}")
        overlay.like(folder, self.view.upper)

    def vault_answers(self, program: Program | None, point: str) -> bool:
        """Whether the vault's process lives and its mount is there; never waits for the link."""
        return program is not None and program.lives() and mounts.mounted(point) is not None


def wait_for_end(program: Program) -> None:
    """It holds its log open: only when it is gone can the disk be unmounted."""
    until = time.monotonic() + _END_S
    while program.lives():
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.kill(program.pid, signal.SIGKILL)
            until = math.inf
        time.sleep(0.01)
