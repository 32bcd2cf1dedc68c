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
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from releve.adapters.store.facts import facts_of, set_facts
from releve.adapters.store.keeper import Keeper
from releve.adapters.store.objects import HeldBytes, give_back
from releve.model.held import Generation, Name, Node


class PutBackDone(msgspec.Struct, frozen=True, kw_only=True):
    """What giving back one file did; `beside` is the path of the other version, if kept."""

    path: str
    changed: bool
    beside: str = ""


_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW


class _Spot(NamedTuple):
    """One entry of an open folder; `shown` is its path, for people only."""

    folder: int
    name: str
    shown: str


class GiveBack:
    """Writes held versions into the protected folders. One per keeper; used by one thread.

    Args:
        keeper: whose originals.
        quarantine: folder below the store, on the same file system where possible.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._index = keeper.index
        self._quarantine = os.path.join(keeper.store, "quarantine")
        os.makedirs(self._quarantine, mode=0o700, exist_ok=True)
        self._number = len(os.listdir(self._quarantine))
        self._unfinished = os.path.join(keeper.store, "unfinished")
        shutil.rmtree(self._unfinished, ignore_errors=True)  # of a guard that was killed at it
        os.makedirs(self._unfinished, mode=0o700)

    def file(
        self, node: Node, generation: Generation, names: list[Name], *, stamp: str, beside: bool
    ) -> PutBackDone:
        """Give `generation` back under `names` (first one first).

        Raises: OSError (ENOSPC where copies are held and the disk is full), FileNotFoundError
        when the held bytes are gone.
        """
        with self._keeper.giving(node.key), contextlib.ExitStack() as opened:
            spots = [opened.enter_context(self._spot(name)) for name in names]
            return self._file(node, generation, names, spots, stamp, beside=beside)

    @contextlib.contextmanager
    def _spot(self, name: Name) -> Iterator[_Spot]:
        """The place of a name; its directory is made again if it is gone."""
        fd = self._folder(name.directory)
        try:
            shown = self._keeper.place.directory_path(name.directory) or "?"
            entry = os.fsdecode(name.name)
            yield _Spot(fd, entry, os.path.join(shown, entry))
        finally:
            os.close(fd)

    def _file(
        self,
        node: Node,
        generation: Generation,
        names: list[Name],
        spots: list[_Spot],
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
        spots: list[_Spot],
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
        spots: list[_Spot],
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
    def _workshop(self, near: _Spot) -> Iterator[_Spot]:
        """A free entry where nobody else can reach, on the file system of `near`; gone afterwards.

        In the store, where a guard that is killed leaves nothing for the users; else a closed
        folder of our own beside `near`.
        """
        name, own = secrets.token_hex(8), ""
        folder = os.open(self._unfinished, _FOLDER | os.O_CLOEXEC)
        if os.fstat(folder).st_dev != os.fstat(near.folder).st_dev:
            os.close(folder)
            own = f".releve-{name}"
            shown = os.path.join(os.path.dirname(near.shown), own)
            self._keeper.temporary |= {shown, os.path.join(shown, name)}
            folder = self._closed_folder(near.folder, own)
        made = _Spot(folder, name, os.path.join(os.path.dirname(near.shown), own, name))
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

    def _closed_folder(self, parent: int, name: str) -> int:
        """Make a folder and open it. Raises: OSError when another was put in its place."""
        os.mkdir(name, 0o700, dir_fd=parent)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        st = os.fstat(fd)
        # Whoever may write there can swap it, but only for a folder that is not ours or not new.
        if st.st_uid != os.geteuid() or st.st_mode & 0o077 or os.listdir(fd):
            os.close(fd)
            raise OSError(errno.ESTALE, "a new folder was replaced at once", name)
        return fd

    def _stand(
        self,
        fd: int,
        node: Node,
        generation: Generation,
        names: list[Name],
        spots: list[_Spot],
        made: _Spot,
        stamp: str,
    ) -> None:
        first = spots[0]
        os.rename(made.name, first.name, src_dir_fd=made.folder, dst_dir_fd=first.folder)
        for other in spots[1:]:
            self._clear(other, stamp, keep=False)
            _link(fd, first, other)
        self._index.rekey(node.id, self._key(first, fd))
        for name in names:
            self._index.add_name(node.id, name)
        if len(spots) > 1:
            os.utime(fd, ns=(generation.facts.mtime_ns, generation.facts.mtime_ns))
        self._adopt(fd, node.id, generation)

    def _key(self, spot: _Spot, fd: int) -> bytes:
        """Key of what stands there. Raises: OSError when it is no longer what `fd` is."""
        key = self._keeper.place.key_at(spot.folder, spot.name)
        if not _is_there(spot, os.fstat(fd)):
            raise OSError(errno.ESTALE, "it was replaced at once", spot.shown)
        return key

    def _adopt(self, fd: int, node: int, generation: Generation) -> None:
        """What stands there now is held: a restart must not take it for a change."""
        facts = facts_of(fd, os.fstat(fd))
        with self._keeper.lock:
            self._index.set_facts(node, facts)
            self._index.adopt(generation.id, facts)

    def _set_names(
        self, node: Node, fd: int, names: list[Name], spots: list[_Spot], stamp: str
    ) -> bool:
        here = os.fstat(fd)
        moved = False
        with self._keeper.lock:
            extra = [n for n in self._index.names(node.id) if n not in names]
        for name, spot in zip(names, spots, strict=True):
            if _is_there(spot, here):
                continue
            self._clear(spot, stamp, keep=False)
            self._give_name(fd, here, spot, extra)
            moved = True
            with self._keeper.lock:
                self._index.add_name(node.id, name)
        for name in extra:
            moved |= self._take_name(here, name)
            with self._keeper.lock:
                self._index.drop_name(node.id, name, self._keeper.clock.now_ns())
        return moved

    def _give_name(self, fd: int, here: os.stat_result, spot: _Spot, extra: list[Name]) -> None:
        """A further name of the open file; a rename where no link can be made of a descriptor."""
        try:
            _link(fd, None, spot)
        except (PermissionError, FileNotFoundError):
            for name in extra:
                with contextlib.suppress(FileNotFoundError), self._standing(name) as old:
                    if _is_there(old, here):
                        os.rename(
                            old.name, spot.name, src_dir_fd=old.folder, dst_dir_fd=spot.folder
                        )
                        return
            raise

    def _take_name(self, here: os.stat_result, name: Name) -> bool:
        with contextlib.suppress(FileNotFoundError), self._standing(name) as spot:
            if _is_there(spot, here):
                os.unlink(spot.name, dir_fd=spot.folder)
                return True
        return False

    @contextlib.contextmanager
    def _standing(self, name: Name) -> Iterator[_Spot]:
        """The place of a name. Raises: FileNotFoundError when its directory is gone."""
        fd = self._open_folder(name.directory)
        if fd is None:
            raise FileNotFoundError(errno.ENOENT, "the directory is gone")
        try:
            yield _Spot(fd, os.fsdecode(name.name), self._keeper.path(name))
        finally:
            os.close(fd)

    def _clear(self, spot: _Spot, stamp: str, *, keep: bool) -> str:
        """Whatever stands at a wanted name goes aside: beside it if others may need it, else quarantine."""
        try:
            st = os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
        except FileNotFoundError:
            return ""
        if not keep and not stat_.S_ISDIR(st.st_mode):
            self._quarantine_entry(spot)
            return ""
        aside = _free_name(spot, stamp)
        os.rename(spot.name, aside.name, src_dir_fd=spot.folder, dst_dir_fd=spot.folder)
        return aside.shown

    def _keep_beside(self, fd: int, st: os.stat_result, spot: _Spot, stamp: str) -> str:
        aside = _free_name(spot, stamp)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        out = os.open(aside.name, flags, 0o600, dir_fd=spot.folder)
        try:
            give_back(HeldBytes(fd, st.st_size), out, base=0)
            set_facts(out, facts_of(fd, st))
        finally:
            os.close(out)
        return aside.shown

    # directories and links

    def directory(self, key: bytes) -> str:
        """Path of a directory, made again with its owner, mode and attributes if it is gone."""
        os.close(self._folder(key))
        return self._keeper.place.directory_path(key) or "?"

    def _open_folder(self, key: bytes) -> int | None:
        """The very directory, wherever it is now; None when it is gone."""
        if self._keeper.place.directory_path(key) is None:
            return None
        try:
            return self._keeper.place.open(key, _FOLDER)
        except OSError as error:
            if error.errno in (errno.ESTALE, errno.ENOENT):
                return None
            raise

    def _folder(self, key: bytes) -> int:
        """An open directory, made again if it is gone. Raises: OSError."""
        fd = self._open_folder(key)
        if fd is not None:
            return fd
        with self._keeper.lock:
            node = self._index.node(key)
            name = self._keeper.last_name(node.id) if node else None
        if node is None or name is None:
            raise FileNotFoundError(errno.ENOENT, "a directory that was never seen")
        with self._spot(name) as spot:
            return self._folder_anew(node, name, spot)

    def _folder_anew(self, node: Node, name: Name, spot: _Spot) -> int:
        """Make a directory at its old place, or take the one that stands there; a link goes away."""
        with self._keeper.lock:
            try:
                st = os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
            except FileNotFoundError:
                st = None
            if st is not None and not stat_.S_ISDIR(st.st_mode):
                self._quarantine_entry(spot)
                st = None
            if st is None:
                fd = self._closed_folder(spot.folder, spot.name)
            else:
                fd = os.open(
                    spot.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=spot.folder
                )
            try:
                # Another's directory that was moved here stays his: it is used, never handed over.
                if st is None or os.fstat(fd).st_uid == node.facts.uid:
                    set_facts(fd, node.facts)
                self._index.rekey(node.id, self._key(spot, fd))
                self._index.add_name(node.id, name)
            except OSError:
                os.close(fd)
                raise
        return fd

    def rename_directory(self, node: Node, name: Name) -> bool:
        """Put a moved directory back under `name`."""
        now = self._keeper.place.directory_path(node.key)
        fd = self._open_folder(node.key)
        if now is None or fd is None:
            self.directory(node.key)
            return True
        try:
            with self._spot(name) as wanted:
                if now == wanted.shown or _exists(wanted):
                    return False
                self._move_folder(fd, os.path.basename(now), wanted)
        finally:
            os.close(fd)
        with self._keeper.lock:
            self._keeper.place.key_of(wanted.shown)  # a place that remembers paths learns it
            for old in self._index.names(node.id):
                self._index.drop_name(node.id, old, self._keeper.clock.now_ns())
            self._index.add_name(node.id, name)
        return True

    def _move_folder(self, fd: int, entry: str, wanted: _Spot) -> None:
        """Raises: OSError when something else stood under its name by then; that is moved back."""
        above = os.open("..", _FOLDER, dir_fd=fd)
        try:
            here, old = os.fstat(fd), _Spot(above, entry, entry)
            if not _is_there(old, here):
                raise OSError(errno.ESTALE, "the directory moved again", wanted.shown)
            os.rename(entry, wanted.name, src_dir_fd=above, dst_dir_fd=wanted.folder)
            if not _is_there(wanted, here):
                os.rename(wanted.name, entry, src_dir_fd=wanted.folder, dst_dir_fd=above)
                raise OSError(errno.ESTALE, "the directory moved again", wanted.shown)
        finally:
            os.close(above)

    def link(self, node: Node, name: Name) -> bool:
        """Make a symbolic link again."""
        facts = node.facts
        with self._spot(name) as spot:
            if _exists(spot):
                return False
            with self._workshop(spot) as made, self._keeper.lock:
                at = made.folder
                os.symlink(os.fsdecode(facts.target), made.name, dir_fd=at)
                os.chown(made.name, facts.uid, facts.gid, dir_fd=at, follow_symlinks=False)
                times = (facts.mtime_ns, facts.mtime_ns)
                os.utime(made.name, ns=times, dir_fd=at, follow_symlinks=False)
                os.rename(made.name, spot.name, src_dir_fd=at, dst_dir_fd=spot.folder)
                self._index.rekey(node.id, self._keeper.place.key_at(spot.folder, spot.name))
                self._index.add_name(node.id, name)
        return True

    # quarantine

    def quarantine(self, node: Node) -> list[str]:
        """Move all names of a file that the attackers made into quarantine; answers their paths."""
        moved = []
        with self._keeper.lock:
            names = self._index.names(node.id)
        for name in names:
            try:
                with self._standing(name) as spot:
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

    def _quarantine_name(self, node: Node, spot: _Spot) -> bool:
        st = os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
        if stat_.S_ISDIR(st.st_mode):
            os.rmdir(spot.name, dir_fd=spot.folder)
            return True
        if self._keeper.place.key_at(spot.folder, spot.name) == node.key:
            self._quarantine_entry(spot)
            return True
        return False

    def _quarantine_entry(self, spot: _Spot) -> None:
        """Out of the folder, kept in the store under a number (its name is in the list beside it)."""
        self._number += 1
        target = os.path.join(self._quarantine, f"{self._number:08d}")
        while os.path.lexists(target):
            self._number += 1
            target = os.path.join(self._quarantine, f"{self._number:08d}")
        with open(
            os.path.join(self._quarantine, "names"), "a", encoding="utf-8", errors="surrogateescape"
        ) as names:
            shown = spot.shown.replace("\n", "\\n")  # a name may not write a line of its own
            names.write(f"{self._number:08d}\t{shown}\n")
        try:
            os.rename(spot.name, target, src_dir_fd=spot.folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy_out(spot, target)
            os.unlink(spot.name, dir_fd=spot.folder)


def _link(fd: int, known: _Spot | None, spot: _Spot) -> None:
    """Another name for the open file; by a name it has where descriptors have no path (no /proc)."""
    try:
        # Python follows the link only if it is given a directory, which an absolute path ignores
        os.link(
            f"/proc/self/fd/{fd}", spot.name,
            src_dir_fd=fd, dst_dir_fd=spot.folder, follow_symlinks=True,
        )  # fmt: skip
    except (FileNotFoundError, PermissionError):
        if known is None:
            raise
        os.link(
            known.name, spot.name,
            src_dir_fd=known.folder, dst_dir_fd=spot.folder, follow_symlinks=False,
        )  # fmt: skip


def _copy_out(spot: _Spot, target: str) -> None:
    """A file goes as bytes, a link as a link; a pipe or device has nothing to keep."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(spot.name, flags, dir_fd=spot.folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            os.symlink(os.readlink(spot.name, dir_fd=spot.folder), target)
        return
    with os.fdopen(fd, "rb") as file:
        if stat_.S_ISREG(os.fstat(fd).st_mode):
            with open(target, "xb") as out:
                shutil.copyfileobj(file, out)


def _is_there(spot: _Spot, st: os.stat_result) -> bool:
    try:
        here = os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (st.st_dev, st.st_ino)


def _exists(spot: _Spot) -> bool:
    try:
        os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _free_name(spot: _Spot, stamp: str) -> _Spot:
    """`lettre (autre version 2026-11-22 14h05).docx`, numbered if that exists."""
    stem, suffix = os.path.splitext(spot.name)
    folder, number = os.path.dirname(spot.shown), 1
    while True:
        more = f", {number}" if number > 1 else ""
        name = f"{stem} (autre version {stamp}{more}){suffix}"
        free = _Spot(spot.folder, name, os.path.join(folder, name))
        if not _exists(free):
            return free
        number += 1
