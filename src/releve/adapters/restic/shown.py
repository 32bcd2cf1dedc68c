"""The repository shown to this program alone, for the scan that asks many folders for a few files each.

restic's FUSE mount is made in a mount namespace that only restic is in: no other program sees it,
walks through it or backs it up. The kernel ends restic when the thread that began it dies, and
takes the mount down with restic, also after a kill -9. We look into it through /proc.
"""

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

from releve.adapters.below import open_folder
from releve.adapters.linux import fusermount, mounts, own_space
from releve.model.errors import ReleveError

# Whole ids: who has the backup's credential and key can make a snapshot whose id begins with the same
# eight letters; dated earlier, it takes the place of that name, and the real one gets another.
WHOLE_IDS = ("mount", "--path-template", "ids/%I")
_READERS = 12
# Off site each small file is a round trip: restic asks five at once unless it is told otherwise.
WORDS = ("-o", f"rest.connections={_READERS}", *WHOLE_IDS)
_INTERPRETER = "#!{} -IS\n"
_MOUNT_S = 60.0
_END_S = 5.0
_DOUBT_S = 5.0  # one answer takes longer: is the vault there?
_STALL_S = 180.0  # one answer takes longer: restic is ended
_LOOK_S = 1.0
_AHEAD_BYTES = 1 << 20  # of each file


class ShownFile:
    """The bytes of one regular file of a snapshot."""

    def __init__(self, descriptor: int, shown: "Shown") -> None:
        self._descriptor, self._shown = descriptor, shown
        self.size = os.fstat(descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        """Raises: OSError, also when the file is shorter than its snapshot says."""
        with self._shown.waiting():
            found = os.pread(self._descriptor, max(0, length), max(0, offset))
        if not found and length > 0 and offset < self.size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return found

    def close(self) -> None:
        os.close(self._descriptor)


class Shown:
    """A mounted repository; close it.

    Args:
        program: the restic that shows it.
        root: the open folder of the mount.
        doubt: asked when an answer takes long; what it raises ends the mount: restic would try for
            a quarter of an hour.
    """

    def __init__(
        self, program: subprocess.Popen[bytes], root: int, doubt: Callable[[], object]
    ) -> None:
        self._program, self._root, self._doubt = program, root, doubt
        self._since: dict[int, float] = {}  # by thread, since when it waits for an answer
        self._closed = threading.Event()
        self._watch = threading.Thread(target=self._watched, daemon=True)
        self._watch.start()

    @property
    def lives(self) -> bool:
        return self._program.poll() is None

    def file(self, snapshot: str, path: str) -> ShownFile | None:
        """A regular file by its whole path; None if there is none. No link is followed on the way.

        Raises: OSError.
        """
        folder, _, name = path.rpartition("/")
        with self.waiting():
            try:
                held = open_folder(self._root, f"ids/{snapshot}{folder}")
                try:
                    return self._regular(held, name)
                finally:
                    os.close(held)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
                    return None
                raise

    def _regular(self, folder: int, name: str) -> ShownFile | None:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return ShownFile(os.open(name, flags, dir_fd=folder), self)

    @contextlib.contextmanager
    def ahead(self, wanted: Sequence[tuple[str, str]]) -> Iterator[None]:
        """Read the beginnings of files (snapshot, path) side by side, while the block takes them in turn."""
        with ThreadPoolExecutor(_READERS) as readers:
            for snapshot, path in wanted:
                readers.submit(self._glance, snapshot, path)
            try:
                yield
            finally:
                readers.shutdown(wait=False, cancel_futures=True)

    def _glance(self, snapshot: str, path: str) -> None:
        """Into the page cache, whence the judgement reads it; what fails here fails there."""
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if found := self.file(snapshot, path):
                stack.callback(found.close)
                found.read(0, min(found.size, _AHEAD_BYTES))

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While the block asks the mount; the watch ends restic when that takes too long."""
        own = threading.get_ident()
        self._since[own] = monotonic()
        try:
            yield
        finally:
            self._since.pop(own, None)

    def _watched(self) -> None:
        doubted = monotonic()
        while not self._closed.wait(_LOOK_S) and self.lives:
            now = monotonic()
            waited = now - min(self._since.copy().values(), default=now)
            if waited > _STALL_S:
                self._program.kill()
            elif waited > _DOUBT_S and now - doubted > _DOUBT_S:
                try:
                    self._doubt()
                except ReleveError:
                    self._program.kill()
                doubted = monotonic()

    def close(self) -> None:
        """End restic, and the mount with it."""
        self._closed.set()
        self._watch.join()
        os.close(self._root)
        end(self._program)


def show(
    command: Sequence[str],
    environment: Mapping[str, str],
    place: Path,
    doubt: Callable[[], object],
) -> Shown | None:
    """Mount by that restic command at a folder inside `place`; None where that is not to be had.

    An ordinary container has no FUSE, and only root may make mounts.
    """
    if os.geteuid():
        return None
    point = place.resolve() / "shown"
    point.mkdir(mode=0o700, parents=True, exist_ok=True)
    helper = fusermount_in(place)
    program = subprocess.Popen(
        [sys.executable, "-IS", own_space.__file__, str(os.getpid()), *command, str(point)],
        env={**environment, "PATH": f"{helper}:{environment.get('PATH', os.defpath)}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        process_group=0,
    )
    try:
        root = _root_of(program, str(point))
    except BaseException:
        end(program)
        raise
    if root is None:
        end(program)
        return None
    return Shown(program, root, doubt)


def _root_of(program: subprocess.Popen[bytes], point: str) -> int | None:
    """The open folder of the mount, when it is there."""
    until = monotonic() + _MOUNT_S
    while program.poll() is None and monotonic() < until:
        found = mounts.mounted(point, str(program.pid))
        if found is not None and found.kind.startswith("fuse"):
            try:
                return os.open(
                    f"/proc/{program.pid}/root{point}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                )
            except OSError:  # a kernel that lets nobody look into another process
                return None
        sleep(0.01)
    return None


def end(program: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and see to it."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            program.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(_END_S)
            return


def fusermount_in(home: Path) -> str:
    """Put our own `fusermount` into a folder of `home`, so that no package is needed; that folder."""
    folder = home / "bin"
    folder.mkdir(mode=0o700, exist_ok=True)
    body = _INTERPRETER.format(sys.executable) + Path(fusermount.__file__).read_text("utf-8")
    new = folder / ".fusermount.new"
    new.write_text(body, encoding="utf-8")
    new.chmod(0o700)
    new.replace(folder / "fusermount")
    return str(folder)
