"""A repository that is only read: a view of the vault opened with a lent key, for a recovery.

Mounted as a folder, listed, and a folder compared with it by hash. Never locked: an as-of view is
hard links of what nobody may change.
"""

import contextlib
import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path

import msgspec

from releve.adapters.linux import mounts, samba_proc
from releve.adapters.restic import child, said, tools
from releve.adapters.restic.engine import pattern
from releve.adapters.restic.shown import WHOLE_IDS, fusermount_in
from releve.flow.backup import (
    EngineFailedError,
    RepositoryMissingError,
    VaultRefusedError,
    WrongPasswordError,
)
from releve.flow.recovery.errors import MountFailedError
from releve.model.backup import Snapshot

_STALL_S = 300.0
_MOUNT_S = 60.0


class Lent(msgspec.Struct, frozen=True, kw_only=True):
    """Where the snapshots are and how they are opened; secrets are named by their files only."""

    repository: str  # a folder (an as-of view), or rest:https://host:port/...
    password_file: str
    user: str = ""
    http_password_file: str = ""
    ca_file: str = ""
    cache: str = ""


class Node(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry as `restic ls` tells it."""

    path: str
    type: str
    size: int = 0
    mtime: str = ""
    inode: int = 0


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One process, so that its number is never taken for another's."""

    pid: int
    starttime: int

    @classmethod
    def of(cls, pid: int) -> "Program":
        """The process of that number as it runs now."""
        seen = samba_proc.look(pid)
        return cls(pid=pid, starttime=seen.starttime if seen else 0)

    def lives(self) -> bool:
        """Whether it runs; our own child is reaped."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        seen = samba_proc.look(self.pid)
        return seen is not None and not seen.dead and seen.starttime == self.starttime


class _Entry(Node, frozen=True, kw_only=True, gc=False, tag_field="message_type", tag="node"):
    """As a line of `restic ls`."""


class _Head(msgspec.Struct, frozen=True, tag_field="message_type", tag="snapshot"):
    """The first line of it."""


_listed = msgspec.json.Decoder(_Entry | _Head).decode_lines


class _Verbose(msgspec.Struct):
    message_type: str = ""
    action: str = ""
    item: str = ""
    size: int = 0


_verbose = msgspec.json.Decoder(_Verbose).decode


class _Status(msgspec.Struct):
    message_type: str = ""
    files_restored: int = 0
    files_skipped: int = 0
    bytes_restored: int = 0
    bytes_skipped: int = 0


_status = msgspec.json.Decoder(_Status).decode


class LentRepository:
    """restic on a lent repository; `home` keeps its cache, its log and the mounting helper."""

    def __init__(self, lent: Lent, home: str) -> None:
        self._lent, self._home = lent, Path(home)
        self._restic = ""

    def snapshot(self, name: str) -> Snapshot:
        """The one of that name ("latest" too); no index is loaded for it.

        Raises: EngineFailedError, WrongPasswordError, RepositoryMissingError.
        """
        lines: list[bytes] = []
        self._run(["snapshots", name], lines.append)
        found = said.snapshots(b"\n".join(lines))
        if not found:
            raise EngineFailedError(1, "there is no such snapshot")
        return found[-1]

    def nodes(
        self, snapshot: str, folder: str, look: Callable[[], None] = lambda: None
    ) -> Iterator[Node]:
        """Every entry of a folder of the snapshot as restic tells it, its path relative to the folder.

        A million of them fit no list. `look` is called at least each second; what it raises ends it.

        Raises: as `snapshot`.
        """
        inside = folder.rstrip("/") + "/"
        for block in self._told(["ls", "--recursive", snapshot, folder], look):
            for one in _listed(block):
                if isinstance(one, _Entry) and one.path.startswith(inside):
                    yield Node(
                        path=one.path[len(inside) :],
                        type=one.type,
                        size=one.size,
                        mtime=one.mtime,
                        inode=one.inode,
                    )

    def compare(
        self, snapshot: str, folder: str, target: str, hear: Callable[[str, str], None]
    ) -> None:
        """Compare every file of the snapshot with `target`, chunk by chunk, by SHA-256.

        Nothing is written. `hear(action, path)`: "unchanged" is verified, "updated" differs,
        "restored" is not there (or a second name of a file, which is not read twice).
        """

        def line(record: bytes) -> None:
            told = _verbose(record)
            if told.message_type == "verbose_status":
                hear(told.action, told.item.lstrip("/"))

        words = ["restore", f"{snapshot}:{folder}", "--target", target, "--dry-run"]
        self._run([*words, "--overwrite", "always", "-vv"], line)

    def restore_all(
        self,
        snapshot: str,
        folder: str,
        into: str,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        hear: Callable[[int, int], None],
    ) -> None:
        """Bring a folder (or places of it) into `into`; what is there by size and time is skipped.

        `hear(files, bytes)` is called at least each second; what it raises ends restic.
        """
        files = size = 0

        def line(record: bytes) -> None:
            nonlocal files, size
            told = _status(record)
            if told.message_type == "status":
                files = told.files_restored + told.files_skipped
                size = told.bytes_restored + told.bytes_skipped

        def alive() -> object:
            hear(files, size)
            return size

        words = ["restore", f"{snapshot}:{folder}", "--target", into, "--overwrite", "if-changed"]
        words += [word for path in include for word in ("--include", f"/{pattern(path)}")]
        words += [word for path in exclude for word in ("--exclude", f"/{pattern(path)}")]
        self._run(words, line, alive)

    def snapshots(self) -> list[Snapshot]:
        """All, oldest first; dumps of databases too."""
        lines: list[bytes] = []
        self._run(["snapshots"], lines.append)
        return said.snapshots(b"\n".join(lines))

    def entries(self, snapshot: str, folder: str) -> list[said.Node]:
        """What is directly in a folder; none if it is absent."""
        found: list[said.Node] = []

        def line(record: bytes) -> None:
            if isinstance(node := said.listed(record), said.LsNode):
                found.append(node)

        try:
            self._run(["ls", snapshot, folder], line)
        except EngineFailedError:  # restic says by its status that the path is absent
            return []
        return found[1:]

    def restore(
        self,
        snapshot: str,
        path: str,
        into: str,
        hear: Callable[[int, int], None] = lambda _files, _bytes: None,
    ) -> None:
        """Bring one file or folder into a folder, verified. `hear(files, bytes)` now and then."""
        parent, _, name = path.rpartition("/")

        def line(record: bytes) -> None:
            told = _status(record)
            if told.message_type == "status":
                hear(told.files_restored, told.bytes_restored)

        words = [
            "restore",
            f"{snapshot}:{parent or '/'}",
            "--include",
            f"/{pattern(name)}",
            "--verify",
        ]
        self._run([*words, "--target", into], line)

    def mount(self, point: str) -> Program:
        """Show the repository as a folder, each snapshot below `ids/` by its whole id.

        The process outlives us, for people work through it.

        Raises: MountFailedError, and those of tools.find.
        """
        Path(point).mkdir(mode=0o700, exist_ok=True)
        environment = self._environment() | {
            "PATH": f"{fusermount_in(self._home)}:{os.environ['PATH']}"
        }
        with (self._home / "restic.log").open("ab") as log:
            command = [*self._command(), "--no-lock", *WHOLE_IDS, point]
            begun = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        until = time.monotonic() + _MOUNT_S
        while not _shows(point):
            if begun.poll() is not None or time.monotonic() > until:
                begun.kill()
                begun.wait()
                raise MountFailedError(self._lent.repository, _last_line(self._home / "restic.log"))
            time.sleep(0.01)
        return Program.of(begun.pid)

    def _command(self) -> list[str]:
        self._restic = self._restic or tools.find(tools.RESTIC).path
        authority = ["--cacert", self._lent.ca_file] if self._lent.ca_file else []
        cache = self._lent.cache or str(self._home / "cache")
        return [self._restic, "--cache-dir", cache, "--stuck-request-timeout", "30s", *authority]

    def _environment(self) -> dict[str, str]:
        lent = self._lent
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
        kept |= {"RESTIC_REPOSITORY": lent.repository, "RESTIC_PASSWORD_FILE": lent.password_file}
        kept["RESTIC_PROGRESS_FPS"] = "1"
        if lent.user:
            secret = Path(lent.http_password_file).read_text(encoding="utf-8").strip()
            kept |= {"RESTIC_REST_USERNAME": lent.user, "RESTIC_REST_PASSWORD": secret}
        return kept

    def _run(
        self,
        words: list[str],
        line: Callable[[bytes], None],
        alive: Callable[[], object] | None = None,
    ) -> None:
        count = 0

        def each(record: bytes) -> None:
            nonlocal count
            count += 1
            line(record)

        ended = child.run(
            [*self._command(), "--json", "--no-lock", *words],
            self._environment(),
            each,
            alive=alive or (lambda: count),
            stall_s=_STALL_S,
        )
        self._check(ended)

    def _told(self, words: list[str], look: Callable[[], None]) -> Iterator[bytes]:
        """What it says, in blocks of whole lines."""
        command = [*self._command(), "--json", "--no-lock", *words]
        saying = child.told(command, self._environment(), look=look, stall_s=_STALL_S)
        self._check((yield from saying))

    def _check(self, ended: child.Ended) -> None:
        match ended.status:
            case 0:
                return
            case 10:
                raise RepositoryMissingError(self._lent.repository)
            case 12:
                raise WrongPasswordError
            case _ if said.is_read_refused(ended.stderr):
                raise VaultRefusedError(self._lent.repository, HTTPStatus.FORBIDDEN)
            case status:
                raise EngineFailedError(status, said.why(ended.stderr))


def same(left: str, right: str) -> bool:
    """Whether two files hold the same bytes; both are read whole."""
    with open(left, "rb") as one, open(right, "rb") as other:  # noqa: PTH123 (names of any bytes)
        while True:
            a, b = one.read(1 << 20), other.read(1 << 20)
            if a != b:
                return False
            if not a:
                return True


def _shows(point: str) -> bool:
    found = mounts.mounted(point)
    if found is None or not found.kind.startswith("fuse"):
        return False
    try:
        return stat.S_ISDIR(os.stat(f"{point}/ids").st_mode)  # noqa: PTH116 (a loop of 10 ms)
    except OSError:
        return False


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it said nothing"
