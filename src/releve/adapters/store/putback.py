"""Giving files back: content, names, owner, mode, times, ACL and attributes, into the same inode if it lives.

It writes as root into folders that others own and may change meanwhile. So no path is followed: a
folder is opened by its key and named by its descriptor from then on, a name is only ever one entry
of such a folder, and what is new is made whole in a place of our own before it is moved there.
"""

import contextlib
import errno
import os
import secrets
import shutil
import stat as stat_
from collections.abc import Callable, Iterator

import msgspec

from releve.adapters.store.facts import facts_of, set_facts, without_powers
from releve.adapters.store.keeper import Keeper
from releve.adapters.store.objects import HeldBytes, give_back
from releve.adapters.store.quarantine import Quarantine
from releve.adapters.store.spots import (
    FOLDER,
    Spot,
    closed_folder,
    exists,
    free_name,
    is_there,
    link,
)
from releve.adapters.store.tree import Tree
from releve.model.held import Generation, Name, Node


class PutBackDone(msgspec.Struct, frozen=True, kw_only=True):
    """What giving back one file did; `beside` is the path of the other version, if kept."""

    path: str
    changed: bool
    beside: str = ""


class GiveBack:
    """Writes held versions into the protected folders. One per keeper; used by one thread.

    Args:
        keeper: whose originals.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._others: Callable[[bytes], bool] = lambda _key: False
        self._aside = ""  # where somebody else's file went that stood at a wanted name
        self._index = keeper.index
        self._quarantine = Quarantine(keeper)
        self._tree = Tree(keeper, self._quarantine)
        self._unfinished = os.path.join(keeper.store, "unfinished")
        shutil.rmtree(self._unfinished, ignore_errors=True)  # of a guard that was killed at it
        os.makedirs(self._unfinished, mode=0o700)

    def file(
        self,
        node: Node,
        generation: Generation,
        names: list[Name],
        *,
        stamp: str,
        beside: bool,
        others: Callable[[bytes], bool] = lambda _key: False,
    ) -> PutBackDone:
        """Give `generation` back under `names` (first one first).

        Args:
            beside: keep what the file holds now in a second file.
            others: says of a key that stands at a wanted name whether it is somebody else's: then
                it goes beside it, not into quarantine.

        Raises: OSError (ENOSPC where copies are held and the disk is full), FileNotFoundError
        when the held bytes are gone.
        """
        with self._keeper.giving(node.key), contextlib.ExitStack() as opened:
            spots = [opened.enter_context(self._tree.spot(name)) for name in names]
            self._others, self._aside = others, ""
            done = self._file(node, generation, names, spots, stamp, beside=beside)
            return msgspec.structs.replace(done, beside=done.beside or self._aside)

    def second(self, generation: Generation, name: Name, *, stamp: str) -> str:
        """Give a held version as a second file beside `name`; its path. Raises: OSError."""
        with self._tree.spot(name) as spot:
            aside = free_name(spot, stamp)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(aside.name, flags, 0o600, dir_fd=spot.folder)
            held = self._keeper.read(generation)
            try:
                give_back(held, fd, base=generation.offset if generation.pack else 0)
                set_facts(fd, generation.facts)
            finally:
                held.close()
                os.close(fd)
        return aside.shown

    def _file(
        self,
        node: Node,
        generation: Generation,
        names: list[Name],
        spots: list[Spot],
        stamp: str,
        *,
        beside: bool,
    ) -> PutBackDone:
        try:
            fd = self._keeper.place.open(node.key, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno not in (errno.ESTALE, errno.ENOENT):
                raise
            return self._anew(node, generation, names, spots, stamp, beside)
        try:
            if os.fstat(fd).st_nlink == 0:
                return self._anew(node, generation, names, spots, stamp, beside)
            return self._into(fd, node, generation, names, spots, stamp, beside)
        finally:
            os.close(fd)

    def _into(
        self,
        fd: int,
        node: Node,
        generation: Generation,
        names: list[Name],
        spots: list[Spot],
        stamp: str,
        beside: bool,
    ) -> PutBackDone:
        st = os.fstat(fd)
        kept = ""
        changed = st.st_ctime_ns != generation.facts.ctime_ns or st.st_size != generation.facts.size
        if changed:
            if beside:
                kept = self._keep_beside(fd, st, spots[0], stamp)
            held = self._keeper.read(generation)
            try:
                give_back(held, fd, base=generation.offset if generation.pack else 0)
            finally:
                held.close()
        moved = self._set_names(node, fd, names, spots, stamp)
        if changed or moved:
            set_facts(fd, generation.facts)
            self._adopt(fd, node.id, generation)
        return PutBackDone(path=spots[0].shown, changed=changed or moved, beside=kept)

    def _anew(
        self,
        node: Node,
        generation: Generation,
        names: list[Name],
        spots: list[Spot],
        stamp: str,
        beside: bool,
    ) -> PutBackDone:
        kept = self._clear(spots[0], stamp, keep=beside)
        with self._workshop(spots[0]) as made:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(made.name, flags, 0o600, dir_fd=made.folder)
            try:
                held = self._keeper.read(generation)
                try:
                    give_back(held, fd, base=generation.offset if generation.pack else 0)
                finally:
                    held.close()
                set_facts(fd, generation.facts)
                with self._keeper.lock:  # nobody may see the new inode and not yet know whose it is
                    self._stand(fd, node, generation, names, spots, made, stamp)
            finally:
                os.close(fd)
        return PutBackDone(path=spots[0].shown, changed=True, beside=kept)

    @contextlib.contextmanager
    def _workshop(self, near: Spot) -> Iterator[Spot]:
        """A free entry where nobody else can reach, on the file system of `near`; gone afterwards.

        In the store, where a guard that is killed leaves nothing for the users; else a closed
        folder of our own beside `near`.
        """
        name, own = secrets.token_hex(8), ""
        folder = os.open(self._unfinished, FOLDER | os.O_CLOEXEC)
        if os.fstat(folder).st_dev != os.fstat(near.folder).st_dev:
            os.close(folder)
            own = f".releve-{name}"
            shown = os.path.join(os.path.dirname(near.shown), own)
            self._keeper.temporary |= {shown, os.path.join(shown, name)}
            folder = closed_folder(near.folder, own)
        made = Spot(folder, name, os.path.join(os.path.dirname(near.shown), own, name))
        try:
            yield made
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            os.close(folder)
            if own:
                with contextlib.suppress(OSError):  # moved away by somebody: an empty folder stays
                    os.rmdir(own, dir_fd=near.folder)
                self._keeper.temporary -= {os.path.dirname(made.shown), made.shown}

    def _stand(
        self,
        fd: int,
        node: Node,
        generation: Generation,
        names: list[Name],
        spots: list[Spot],
        made: Spot,
        stamp: str,
    ) -> None:
        first = spots[0]
        os.rename(made.name, first.name, src_dir_fd=made.folder, dst_dir_fd=first.folder)
        for other in spots[1:]:
            self._clear(other, stamp, keep=False)
            link(fd, first, other)
        self._index.rekey(node.id, self._tree.key(first, fd))
        for name in names:
            self._index.return_name(node.id, name)
        if len(spots) > 1:
            os.utime(fd, ns=(generation.facts.mtime_ns, generation.facts.mtime_ns))
        self._adopt(fd, node.id, generation)

    def _adopt(self, fd: int, node: int, generation: Generation) -> None:
        """What stands there now is held: a restart must not take it for a change."""
        facts = facts_of(fd, os.fstat(fd))
        with self._keeper.lock:
            self._index.set_facts(node, facts)
            self._index.adopt(generation.id, facts)

    def _set_names(
        self, node: Node, fd: int, names: list[Name], spots: list[Spot], stamp: str
    ) -> bool:
        here = os.fstat(fd)
        moved = False
        with self._keeper.lock:
            extra = [n for n in self._index.names(node.id) if n not in names]
        for name, spot in zip(names, spots, strict=True):
            if is_there(spot, here):
                continue
            self._clear(spot, stamp, keep=False)
            self._give_name(fd, here, spot, extra)
            moved = True
            with self._keeper.lock:
                self._index.return_name(node.id, name)
        for name in extra:
            moved |= self._take_name(here, name)
            with self._keeper.lock:
                self._index.undo_name(node.id, name)
        return moved

    def _give_name(self, fd: int, here: os.stat_result, spot: Spot, extra: list[Name]) -> None:
        """A further name of the open file; a rename where no link can be made of a descriptor."""
        try:
            link(fd, None, spot)
        except (PermissionError, FileNotFoundError):
            for name in extra:
                with contextlib.suppress(FileNotFoundError), self._tree.standing(name) as old:
                    if is_there(old, here):
                        os.rename(
                            old.name, spot.name, src_dir_fd=old.folder, dst_dir_fd=spot.folder
                        )
                        return
            raise

    def _take_name(self, here: os.stat_result, name: Name) -> bool:
        with contextlib.suppress(FileNotFoundError), self._tree.standing(name) as spot:
            if is_there(spot, here):
                os.unlink(spot.name, dir_fd=spot.folder)
                return True
        return False

    def _clear(self, spot: Spot, stamp: str, *, keep: bool) -> str:
        """Whatever stands at a wanted name goes aside: beside it if others may need it, else quarantine."""
        try:
            st = os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
        except FileNotFoundError:
            return ""
        key = self._keeper.place.key_at(spot.folder, spot.name)
        is_others = stat_.S_ISREG(st.st_mode) and self._others(key)
        if not keep and not is_others and not stat_.S_ISDIR(st.st_mode):
            self._quarantine.take(spot)
            return ""
        aside = free_name(spot, stamp)
        os.rename(spot.name, aside.name, src_dir_fd=spot.folder, dst_dir_fd=spot.folder)
        if is_others:
            self._aside = self._aside or aside.shown
            above = self._keeper.place.key_of_folder(spot.folder, os.path.dirname(spot.shown))
            self._keeper.named(key, Name(above, os.fsencode(aside.name)))
        return aside.shown

    def _keep_beside(self, fd: int, st: os.stat_result, spot: Spot, stamp: str) -> str:
        aside = free_name(spot, stamp)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        out = os.open(aside.name, flags, 0o600, dir_fd=spot.folder)
        try:
            give_back(HeldBytes(fd, st.st_size), out, base=0)
            set_facts(out, without_powers(facts_of(fd, st)))
        finally:
            os.close(out)
        return aside.shown

    # directories and links

    def directory(self, key: bytes) -> str:
        """Path of a directory, made again with its owner, mode and attributes if it is gone."""
        return self._tree.directory(key)

    def rename_directory(self, node: Node, name: Name) -> bool:
        """Put a moved directory back under `name`."""
        return self._tree.move_back(node, name)

    def link(self, node: Node, name: Name) -> bool:
        """Make a symbolic link again."""
        facts = node.facts
        with self._tree.spot(name) as spot:
            if exists(spot):
                return False
            with self._workshop(spot) as made, self._keeper.lock:
                at = made.folder
                os.symlink(os.fsdecode(facts.target), made.name, dir_fd=at)
                os.chown(made.name, facts.uid, facts.gid, dir_fd=at, follow_symlinks=False)
                times = (facts.mtime_ns, facts.mtime_ns)
                os.utime(made.name, ns=times, dir_fd=at, follow_symlinks=False)
                os.rename(made.name, spot.name, src_dir_fd=at, dst_dir_fd=spot.folder)
                self._index.rekey(node.id, self._keeper.place.key_at(spot.folder, spot.name))
                self._index.return_name(node.id, name)
        return True

    # quarantine

    def quarantine(self, node: Node) -> list[str]:
        """Move all names of a file that the attackers made into quarantine; answers their paths."""
        moved = []
        with self._keeper.lock:
            names = self._index.names(node.id)
        for name in names:
            try:
                with self._tree.standing(name) as spot:
                    if self._quarantine_name(node, spot):
                        moved.append(spot.shown)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise
                if error.errno == errno.ENOTEMPTY:
                    continue
            with self._keeper.lock:
                self._index.drop_name(node.id, name, self._keeper.clock.now_ns())
        with self._keeper.lock:
            self._index.set_gone(node.id, self._keeper.clock.now_ns())
        return moved

    def _quarantine_name(self, node: Node, spot: Spot) -> bool:
        st = os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
        if stat_.S_ISDIR(st.st_mode):
            os.rmdir(spot.name, dir_fd=spot.folder)
            return True
        if self._keeper.place.key_at(spot.folder, spot.name) == node.key:
            self._quarantine.take(spot)
            return True
        return False
