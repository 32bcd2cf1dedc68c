"""The protected directories: opened by key, made again where they are gone, moved back."""

import contextlib
import errno
import os
import stat as stat_
import time
from collections.abc import Iterator

from releve.adapters.store.facts import set_facts
from releve.adapters.store.keeper import Keeper
from releve.adapters.store.quarantine import Quarantine
from releve.adapters.store.spots import FOLDER, Spot, closed_folder, exists, free_name, is_there
from releve.model.held import Name, Node


class Tree:
    """Places by name, through the held tree. One per keeper; used by one thread."""

    def __init__(self, keeper: Keeper, quarantine: Quarantine) -> None:
        self._keeper, self._index, self._quarantine = keeper, keeper.index, quarantine

    @contextlib.contextmanager
    def spot(self, name: Name) -> Iterator[Spot]:
        """The place of a name; its directory is made again if it is gone."""
        fd = self.folder(name.directory)
        try:
            shown = self._keeper.place.directory_path(name.directory) or "?"
            entry = os.fsdecode(name.name)
            yield Spot(fd, entry, os.path.join(shown, entry))
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def standing(self, name: Name) -> Iterator[Spot]:
        """The place of a name. Raises: FileNotFoundError when its directory is gone."""
        fd = self.open(name.directory)
        if fd is None:
            raise FileNotFoundError(errno.ENOENT, "the directory is gone")
        try:
            yield Spot(fd, os.fsdecode(name.name), self._keeper.path(name))
        finally:
            os.close(fd)

    def key(self, spot: Spot, fd: int) -> bytes:
        """Key of what stands there. Raises: OSError when it is no longer what `fd` is."""
        key = self._keeper.place.key_at(spot.folder, spot.name)
        if not is_there(spot, os.fstat(fd)):
            raise OSError(errno.ESTALE, "it was replaced at once", spot.shown)
        return key

    def directory(self, key: bytes) -> str:
        """Path of a directory, made again with its owner, mode and attributes if it is gone."""
        os.close(self.folder(key))
        return self._keeper.place.directory_path(key) or "?"

    def open(self, key: bytes) -> int | None:
        """The very directory, wherever it is now; None when it is gone."""
        if self._keeper.place.directory_path(key) is None:
            return None
        try:
            return self._keeper.place.open(key, FOLDER)
        except OSError as error:
            if error.errno in (errno.ESTALE, errno.ENOENT):
                return None
            raise

    def folder(self, key: bytes) -> int:
        """An open directory, made again if it is gone. Raises: OSError."""
        fd = self.open(key)
        if fd is not None:
            return fd
        with self._keeper.lock:
            node = self._index.node(key)
            name = self._keeper.last_name(node.id) if node else None
        if node is not None and node.key != key:
            return self.folder(node.key)  # it was made again before
        if node is None or name is None:
            raise FileNotFoundError(errno.ENOENT, "a directory that was never seen")
        with self.spot(name) as spot:
            return self._folder_anew(node, name, spot)

    def _folder_anew(self, node: Node, name: Name, spot: Spot) -> int:
        """Make a directory at its old place, or take a new one that stands there; a link goes away.

        One that is known by another name stays what it is: it is moved beside.
        """
        with self._keeper.lock:
            try:
                st = os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
            except FileNotFoundError:
                st = None
            if st is not None and not stat_.S_ISDIR(st.st_mode):
                self._quarantine.take(spot)
                st = None
            if st is not None and self._is_another(node, spot):
                self._beside(spot)
                st = None
            if st is None:
                fd = closed_folder(spot.folder, spot.name)
            else:
                fd = os.open(
                    spot.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=spot.folder
                )
            try:
                # Another's directory that was moved here stays his: it is used, never handed over.
                if st is None or os.fstat(fd).st_uid == node.facts.uid:
                    set_facts(fd, node.facts)
                self._index.rekey(node.id, self.key(spot, fd))
                self._index.return_name(node.id, name)
            except OSError:
                os.close(fd)
                raise
        return fd

    def _is_another(self, node: Node, spot: Spot) -> bool:
        known = self._index.node(self._keeper.place.key_at(spot.folder, spot.name))
        return known is not None and known.id != node.id

    def _beside(self, spot: Spot) -> None:
        aside = free_name(spot, time.strftime("%Y-%m-%d %Hh%M"))
        os.rename(spot.name, aside.name, src_dir_fd=spot.folder, dst_dir_fd=spot.folder)
        key = self._keeper.place.key_at(spot.folder, aside.name)
        above = self._keeper.place.key_of_folder(spot.folder, os.path.dirname(spot.shown))
        self._keeper.named(key, Name(above, os.fsencode(aside.name)))

    def move_back(self, node: Node, name: Name) -> bool:
        """Put a moved directory back under `name`."""
        now = self._keeper.place.directory_path(node.key)
        fd = self.open(node.key)
        if now is None or fd is None:
            self.directory(node.key)
            return True
        try:
            with self.spot(name) as wanted:
                if now == wanted.shown or exists(wanted):
                    return False
                self._move_folder(fd, os.path.basename(now), wanted)
        finally:
            os.close(fd)
        with self._keeper.lock:
            self._keeper.place.key_of(wanted.shown)  # a place that remembers paths learns it
            for old in self._index.names(node.id):
                self._index.undo_name(node.id, old)
            self._index.return_name(node.id, name)
        return True

    def _move_folder(self, fd: int, entry: str, wanted: Spot) -> None:
        """Raises: OSError when something else stood under its name by then; that is moved back."""
        above = os.open("..", FOLDER, dir_fd=fd)
        try:
            here, old = os.fstat(fd), Spot(above, entry, entry)
            if not is_there(old, here):
                raise OSError(errno.ESTALE, "the directory moved again", wanted.shown)
            os.rename(entry, wanted.name, src_dir_fd=above, dst_dir_fd=wanted.folder)
            if not is_there(wanted, here):
                os.rename(wanted.name, entry, src_dir_fd=wanted.folder, dst_dir_fd=above)
                raise OSError(errno.ESTALE, "the directory moved again", wanted.shown)
        finally:
            os.close(above)
