"""Giving files back: content, names, owner, mode, times, ACL and attributes, into the same inode if it lives."""

import errno
import os
import shutil
import stat as stat_

import msgspec

from releve.adapters.store.facts import facts_of, set_facts
from releve.adapters.store.keeper import Keeper
from releve.adapters.store.objects import HeldBytes, give_back
from releve.model.held import Facts, Generation, Kind, Name, Node


class PutBackDone(msgspec.Struct, frozen=True, kw_only=True):
    """What giving back one file did; `beside` is the path of the other version, if kept."""

    path: str
    changed: bool
    beside: str = ""


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
        paths = [os.path.join(self.directory(n.directory), os.fsdecode(n.name)) for n in names]
        with self._keeper.giving(node.key):
            return self._file(node, generation, names, paths, stamp, beside=beside)

    def _file(
        self,
        node: Node,
        generation: Generation,
        names: list[Name],
        paths: list[str],
        stamp: str,
        *,
        beside: bool,
    ) -> PutBackDone:
        try:
            fd = self._keeper.place.open(node.key, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno not in (errno.ESTALE, errno.ENOENT):
                raise
            return self._anew(node, generation, names, paths, stamp, beside)
        try:
            if os.fstat(fd).st_nlink == 0:
                return self._anew(node, generation, names, paths, stamp, beside)
            return self._into(fd, node, generation, names, paths, stamp, beside)
        finally:
            os.close(fd)

    def _into(
        self,
        fd: int,
        node: Node,
        generation: Generation,
        names: list[Name],
        paths: list[str],
        stamp: str,
        beside: bool,
    ) -> PutBackDone:
        st = os.fstat(fd)
        kept = ""
        changed = st.st_ctime_ns != generation.facts.ctime_ns or st.st_size != generation.facts.size
        if changed:
            if beside:
                kept = self._keep_beside(fd, st, paths[0], stamp)
            held = self._keeper.read(generation)
            try:
                give_back(held, fd, base=generation.offset if generation.pack else 0)
            finally:
                held.close()
        moved = self._set_names(node, fd, names, paths, stamp)
        if changed or moved:
            set_facts(fd, generation.facts)
            self._adopt(fd, node.id, generation)
        return PutBackDone(path=paths[0], changed=changed or moved, beside=kept)

    def _anew(
        self,
        node: Node,
        generation: Generation,
        names: list[Name],
        paths: list[str],
        stamp: str,
        beside: bool,
    ) -> PutBackDone:
        path = paths[0]
        kept = self._clear(path, stamp, keep=beside)
        temporary = self._temporary(os.path.dirname(path), generation)
        self._keeper.temporary.add(temporary)
        fd = os.open(
            temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            held = self._keeper.read(generation)
            try:
                give_back(held, fd, base=generation.offset if generation.pack else 0)
            finally:
                held.close()
            set_facts(fd, generation.facts)
            with self._keeper.lock:  # nobody may see the new inode and not yet know whose it is
                self._stand(fd, node, generation, names, paths, temporary, stamp)
        except OSError:
            if os.path.lexists(temporary):
                os.unlink(temporary)
            raise
        finally:
            self._keeper.temporary.discard(temporary)
            os.close(fd)
        return PutBackDone(path=path, changed=True, beside=kept)

    def _temporary(self, folder: str, generation: Generation) -> str:
        """In the store, where a guard that is killed leaves nothing for the users; else beside."""
        if os.stat(self._unfinished).st_dev == os.stat(folder).st_dev:
            return os.path.join(self._unfinished, f"{generation.id:x}")
        return os.path.join(folder, f".releve-{generation.id:x}")

    def _stand(
        self,
        fd: int,
        node: Node,
        generation: Generation,
        names: list[Name],
        paths: list[str],
        temporary: str,
        stamp: str,
    ) -> None:
        path = paths[0]
        os.rename(temporary, path)
        for other in paths[1:]:
            self._clear(other, stamp, keep=False)
            os.link(path, other)
        self._index.rekey(node.id, self._keeper.place.key_of(path))
        for name in names:
            self._index.add_name(node.id, name)
        if len(paths) > 1:
            os.utime(fd, ns=(generation.facts.mtime_ns, generation.facts.mtime_ns))
        self._adopt(fd, node.id, generation)

    def _adopt(self, fd: int, node: int, generation: Generation) -> None:
        """What stands there now is held: a restart must not take it for a change."""
        facts = facts_of(fd, os.fstat(fd))
        with self._keeper.lock:
            self._index.set_facts(node, facts)
            self._index.adopt(generation.id, facts)

    def _set_names(
        self, node: Node, fd: int, names: list[Name], paths: list[str], stamp: str
    ) -> bool:
        here = os.fstat(fd)
        moved = False
        with self._keeper.lock:
            extra = [n for n in self._index.names(node.id) if n not in names]
        for name, path in zip(names, paths, strict=True):
            if _same_inode(path, here):
                continue
            self._clear(path, stamp, keep=False)
            source = self._any_path(extra, here)
            if source is not None:
                os.rename(source, path)
            else:
                # Python follows the link only if it is given a directory, which an absolute path ignores
                os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
            moved = True
            with self._keeper.lock:
                self._index.add_name(node.id, name)
        for name in extra:
            path = self._keeper.path(name)
            if _same_inode(path, here):
                os.unlink(path)
                moved = True
            with self._keeper.lock:
                self._index.drop_name(node.id, name, self._keeper.clock.now_ns())
        return moved

    def _any_path(self, names: list[Name], here: os.stat_result) -> str | None:
        for name in names:
            path = self._keeper.path(name)
            if _same_inode(path, here):
                return path
        return None

    def _clear(self, path: str, stamp: str, *, keep: bool) -> str:
        """Whatever stands at a wanted name goes aside: beside it if others may need it, else quarantine."""
        try:
            st = os.lstat(path)
        except FileNotFoundError:
            return ""
        if stat_.S_ISDIR(st.st_mode):
            aside = _free_name(path, stamp)
            os.rename(path, aside)
            return aside
        if keep:
            aside = _free_name(path, stamp)
            os.rename(path, aside)
            return aside
        self.quarantine_path(path)
        return ""

    def _keep_beside(self, fd: int, st: os.stat_result, path: str, stamp: str) -> str:
        aside = _free_name(path, stamp)
        out = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            give_back(HeldBytes(fd, st.st_size), out, base=0)
            set_facts(out, facts_of(fd, st))
        finally:
            os.close(out)
        return aside

    # directories and links

    def directory(self, key: bytes) -> str:
        """Path of a directory, made again with its owner, mode and attributes if it is gone."""
        path = self._keeper.place.directory_path(key)
        if path is not None:
            return path
        with self._keeper.lock:
            node = self._index.node(key)
            name = self._keeper.last_name(node.id) if node else None
        if node is None or name is None:
            raise FileNotFoundError(errno.ENOENT, "a directory that was never seen")
        path = os.path.join(self.directory(name.directory), os.fsdecode(name.name))
        if not os.path.isdir(path):
            if os.path.lexists(path):
                self.quarantine_path(path)
            with self._keeper.lock:
                os.mkdir(path, 0o700)
                self._index.rekey(node.id, self._keeper.place.key_of(path))
                self._index.add_name(node.id, name)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            set_facts(fd, node.facts)
        finally:
            os.close(fd)
        with self._keeper.lock:
            self._index.rekey(node.id, self._keeper.place.key_of(path))
            self._index.add_name(node.id, name)
        return path

    def rename_directory(self, node: Node, name: Name) -> bool:
        """Put a moved directory back under `name`."""
        now = self._keeper.place.directory_path(node.key)
        if now is None:
            self.directory(node.key)
            return True
        wanted = os.path.join(self.directory(name.directory), os.fsdecode(name.name))
        if now == wanted or os.path.lexists(wanted):
            return False
        os.rename(now, wanted)
        with self._keeper.lock:
            for old in self._index.names(node.id):
                self._index.drop_name(node.id, old, self._keeper.clock.now_ns())
            self._index.add_name(node.id, name)
        return True

    def link(self, node: Node, name: Name) -> bool:
        """Make a symbolic link again."""
        path = os.path.join(self.directory(name.directory), os.fsdecode(name.name))
        if os.path.lexists(path):
            return False
        with self._keeper.lock:
            os.symlink(os.fsdecode(node.facts.target), path)
            os.lchown(path, node.facts.uid, node.facts.gid)
            os.utime(path, ns=(node.facts.mtime_ns, node.facts.mtime_ns), follow_symlinks=False)
            self._index.rekey(node.id, self._keeper.place.key_of(path))
            self._index.add_name(node.id, name)
        return True

    def settle_directory(self, key: bytes, facts: Facts) -> None:
        """Owner, mode and times of a directory after its entries were put back."""
        path = self._keeper.place.directory_path(key)
        if path is None:
            return
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            set_facts(fd, facts)
            after = facts_of(fd, os.fstat(fd))
        finally:
            os.close(fd)
        with self._keeper.lock:
            node = self._index.node(key)
            if node is not None:
                self._index.set_facts(node.id, after)

    # quarantine

    def quarantine(self, node: Node) -> list[str]:
        """Move all names of a file that the attackers made into quarantine; answers their paths."""
        moved = []
        with self._keeper.lock:
            names = self._index.names(node.id)
        for name in names:
            path = self._keeper.path(name)
            try:
                st = os.lstat(path)
                if stat_.S_ISDIR(st.st_mode):
                    os.rmdir(path)
                    moved.append(path)
                elif self._keeper.place.key_of(path) == node.key:
                    self.quarantine_path(path)
                    moved.append(path)
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

    def quarantine_path(self, path: str) -> None:
        """Out of the folder, kept in the store under a number (its name is in the list beside it)."""
        self._number += 1
        target = os.path.join(self._quarantine, f"{self._number:08d}")
        while os.path.lexists(target):
            self._number += 1
            target = os.path.join(self._quarantine, f"{self._number:08d}")
        with open(
            os.path.join(self._quarantine, "names"), "a", encoding="utf-8", errors="surrogateescape"
        ) as names:
            names.write(f"{self._number:08d}\t{path}\n")
        try:
            os.rename(path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copy2(path, target, follow_symlinks=False)
            os.unlink(path)

    def is_file(self, node: Node) -> bool:
        return node.facts.kind is Kind.FILE


def _same_inode(path: str, st: os.stat_result) -> bool:
    try:
        here = os.lstat(path)
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (st.st_dev, st.st_ino)


def _free_name(path: str, stamp: str) -> str:
    """`lettre (autre version 2026-11-22 14h05).docx`, numbered if that exists."""
    stem, suffix = os.path.splitext(path)
    name = f"{stem} (autre version {stamp}){suffix}"
    number = 2
    while os.path.lexists(name):
        name = f"{stem} (autre version {stamp}, {number}){suffix}"
        number += 1
    return name
