"""The engine: restic (0.17 or newer) driven by subprocess."""

import datetime as dt
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path, PurePath
from typing import BinaryIO, NoReturn

import msgspec

from releve.adapters.restic import child, probe, tools
from releve.adapters.restic.files import left_out, repository_file
from releve.adapters.restic.said import (
    Difference,
    Error,
    Found,
    LsNode,
    Node,
    Status,
    Summary,
    differs,
    found,
    is_full,
    is_read_refused,
    listed,
    snapshots,
    understood,
    why,
)
from releve.flow.backup import (
    EngineFailedError,
    RepositoryLockedError,
    RepositoryMissingError,
    Tell,
    VaultFullError,
    VaultRefusedError,
    VerificationFailedError,
    WrongPasswordError,
)
from releve.model.backup import Backup, Progress, Snapshot

INCOMPLETE, NO_REPOSITORY, LOCKED, WRONG_PASSWORD = 3, 10, 11, 12  # restic's exit statuses
DUMP = "/releve-dump-"  # how a dump is named; restic 0.18 makes no folder for what comes by stdin
STALL_S = 180.0
CHECK_S = 6 * 3600.0  # restic says nothing while it reads every byte


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """Where the snapshots are and how to open them. One repository per machine."""

    url: str  # http(s)://host:port/user/ of a rest-server, without credential
    user: str
    http_password_file: str
    password_file: str  # of the encryption; whoever loses it loses the snapshots
    cache: str
    ca_file: str = ""  # for a server with its own authority


class Restic:
    """Engine behind a rest-server."""

    def __init__(
        self, repository: Repository, *, stall_s: float = STALL_S, upload_kib_per_s: int = 0
    ) -> None:
        self._repository, self._stall_s = repository, stall_s
        self._upload_kib_per_s = upload_kib_per_s  # 0: no limit
        self._restic = ""
        self._more: dict[str, str] = {}  # environment of one call besides

    def init(self) -> bool:
        if self._probe():
            self.snapshots()  # the password must open it, or the next backup fails at night
            return False
        self._checked(self._run(["init"]))
        return True

    def backup(self, folders: Sequence[str], exclude: Sequence[str], tell: Tell) -> Backup:
        self._need()
        there = [folder for folder in folders if os.path.lexists(folder)]
        unread = [folder for folder in folders if folder not in there]
        if not there:
            raise EngineFailedError(1, "none of the folders exists")
        with left_out(exclude, self._repository.cache) as file:
            made = self._backup(["backup", "--exclude-file", file, "--", *there], tell)
        return msgspec.structs.replace(made, unread=tuple(dict.fromkeys((*unread, *made.unread))))

    def _backup(self, words: Sequence[str], tell: Tell) -> Backup:
        summary, unread = Summary(), list[str]()

        def hear(said: object) -> None:
            nonlocal summary
            match said:
                case Status():
                    tell(_progress("backup", said.files_done, said.bytes_done, said.percent_done))
                case Error():
                    unread.append(said.item or said.error.message)
                case Summary():
                    summary = said
                case _:
                    pass

        ended = self._run(words, hear)
        for record in ended.stderr:
            hear(understood(record.encode()))
        if ended.status != INCOMPLETE:
            self._checked(ended)
        if not summary.snapshot_id or summary.backup_start is None:
            raise EngineFailedError(ended.status, "no summary came: no snapshot was made")
        return Backup(
            snapshot=summary.snapshot_id,
            at=summary.backup_start.astimezone(dt.UTC),
            files=summary.total_files_processed,
            files_new=summary.files_new,
            files_changed=summary.files_changed,
            bytes=summary.total_bytes_processed,
            bytes_added=summary.data_added_packed,
            ms=summary.total_duration * 1000,
            unread=tuple(unread),
        )

    def snapshots(self) -> list[Snapshot]:
        """Of folders; what databases said has snapshots of its own."""
        return [one for one in self.everything() if not is_dump(one.folders)]

    def everything(self) -> list[Snapshot]:
        """Dumps too."""
        return snapshots(self._answer("snapshots"))

    def ls(self, snapshot: str, folder: str) -> Iterator[str]:
        return (node.path for node in self.nodes(snapshot, folder))

    def nodes(self, snapshot: str, path: str) -> list[Node]:
        """The entry itself first, then what is directly below it; none if it is absent."""
        try:
            said = self._answer("ls", snapshot, path)
        except EngineFailedError:  # restic 0.18 says so by the status when the path is absent
            return []
        nodes = [listed(record) for record in said.splitlines() if record]
        return [node for node in nodes if isinstance(node, LsNode)]

    def find(self, path: str) -> list[Found]:
        """The file of that path in every snapshot that has it (a folder would list its all)."""
        return found(self._answer("find", pattern(path)) or b"[]")

    def named(self, patterns: Sequence[str]) -> list[Found]:
        """Every entry whose last part fits one of the patterns, in every snapshot; case is nothing."""
        return found(self._answer("find", "--ignore-case", *patterns) or b"[]")

    def diff(self, older: str, newer: str, hear: Callable[[Difference], None]) -> None:
        """Tell each path that differs, content only; never with -q, which prints nothing."""

        def line(record: bytes) -> None:
            if isinstance(said := differs(record), Difference):
                hear(said)

        self._told(line, "diff", older, newer)

    def every(
        self, snapshot: str, hear: Callable[[Node], None], folders: Collection[str] = ()
    ) -> None:
        """Tell every entry of a snapshot as it comes: a million of them fit no list.

        With folders, what is directly in them; each must be there.
        """

        def line(record: bytes) -> None:
            if isinstance(said := listed(record), LsNode):
                hear(said)

        self._told(line, "ls", snapshot, *folders)

    def bring(self, snapshot: str, patterns: str, into: str) -> None:
        """Restore what a file of patterns names under `into`, whole paths kept; absent ones not."""
        self._need()
        words = ["restore", "--no-lock", "--include-file", patterns, "--target", into]
        self._checked(self._run([*words, "--", snapshot]))

    def program(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """Command and environment of a restic that only reads, for who runs it otherwise than we do."""
        self._need()
        return [*self._command(), "--no-lock", *words], self._environment()

    def answers(self) -> None:
        """Ask whether the repository is there. Raises: what says that it is not."""
        self._need()

    def dump(self, snapshot: str, path: str, into: BinaryIO) -> None:
        self._need()
        command = [*self._command(), "dump", "--", snapshot, path]
        self._checked(child.pour(command, self._environment(), into, stall_s=self._stall_s))

    def restore(self, snapshot: str, path: str, into: str, tell: Tell) -> str:
        self._need()
        pure = PurePath(path)

        def hear(said: object) -> None:
            if isinstance(said, Status):
                part = said.percent_done
                tell(_progress("restore", said.files_restored, said.bytes_restored, part))

        place = f"{snapshot}:{pure.parent}"
        words = ["--include", pattern("/" + pure.name), "--target", into, "--verify"]
        ended = self._run(["restore", *words, "--", place], hear)
        if ended.status == 1 and any("not found" in said for said in ended.stderr):
            raise VerificationFailedError(path, f"it is not in snapshot {snapshot[:8]}")
        self._checked(ended)
        brought = Path(into) / pure.name
        if not os.path.lexists(brought):
            raise VerificationFailedError(path, f"it is not in snapshot {snapshot[:8]}")
        return str(brought)

    def check(self, *, read_data: bool = False) -> None:
        self._need()
        words = ["check", *(["--read-data"] if read_data else [])]
        self._checked(self._run(words, stall_s=CHECK_S))

    # how restic is called

    def _probe(self) -> bool:
        """Ask the server first. Raises: VaultUnreachableError, VaultRefusedError."""
        held = self._repository
        password = _secret(held.http_password_file)
        return probe.has_repository(held.url, held.user, password, held.ca_file)

    def _need(self) -> None:
        if not self._probe():
            raise RepositoryMissingError(self._repository.url)

    def _command(self) -> list[str]:
        self._restic = self._restic or tools.find(tools.RESTIC).path
        held = self._repository
        authority = ["--cacert", held.ca_file] if held.ca_file else []
        hanging = ["--stuck-request-timeout", "30s"]  # then it is asked again; 5 min by default
        limit = self._upload_kib_per_s
        slower = ["--limit-upload", str(limit)] if limit else []
        return [self._restic, "--json", "--cache-dir", held.cache, *authority, *hanging, *slower]

    def _environment(self) -> dict[str, str]:
        held = self._repository
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
        ours = {
            "RESTIC_REPOSITORY_FILE": repository_file(
                held.url, held.user, _secret(held.http_password_file), held.cache
            ),
            "RESTIC_PASSWORD_FILE": held.password_file,
            "RESTIC_PROGRESS_FPS": "2",
            "GOMAXPROCS": str(max(1, (os.cpu_count() or 1) // 2)),  # care comes first
        }
        return kept | self._more | ours

    def _doubt(self, said: Sequence[str]) -> None:
        """Raises: VaultFullError, and those of `_probe`."""
        if said and is_full(said[-1]):  # its newest words: a vault that was given room goes on
            raise VaultFullError
        self._probe()

    def _run(
        self,
        words: Sequence[str],
        hear: Callable[[object], None] = lambda _: None,
        stall_s: float | None = None,
    ) -> child.Ended:
        """Run restic. Locked: first remove locks of dead programs, then wait for live ones."""
        command, environment = self._command(), self._environment()
        done: object = ()

        def line(record: bytes) -> None:
            nonlocal done
            said = understood(record)
            if isinstance(said, Status):
                done = (said.files_done, said.bytes_done, said.files_restored, said.bytes_restored)
            if said is not None:
                hear(said)

        def once(words: Sequence[str]) -> child.Ended:
            limit = stall_s or self._stall_s
            return child.run(
                [*command, *words],
                environment,
                line,
                alive=lambda: done,
                stall_s=limit,
                doubt=self._doubt,  # restic would go on trying for a quarter of an hour
            )

        ended = once(words)
        if ended.status == LOCKED:
            once(["unlock"])
            ended = once(["--retry-lock", "30s", *words])
        return ended

    def _answer(self, *words: str) -> bytes:
        """The whole stdout of a command that only reads."""
        said: list[bytes] = []
        self._told(said.append, *words)
        return b"\n".join(said)

    def _told(self, line: Callable[[bytes], None], *words: str) -> None:
        """Run a command that only reads; no lock: it works beside everything."""
        self._need()
        command, told = [*self._command(), "--no-lock", *words], 0

        def hear(record: bytes) -> None:
            nonlocal told
            told += 1
            line(record)

        ended = child.run(
            command, self._environment(), hear, alive=lambda: told, stall_s=self._stall_s
        )
        self._checked(ended)

    def _checked(self, ended: child.Ended) -> None:
        if ended.status:
            self._fail(ended)

    def _fail(self, ended: child.Ended) -> NoReturn:
        reason = why(ended.stderr)
        match ended.status:
            case 10:
                raise RepositoryMissingError(self._repository.url)
            case 11:
                raise RepositoryLockedError(reason)
            case 12:
                raise WrongPasswordError
            case _ if is_read_refused(ended.stderr):
                raise VaultRefusedError(self._repository.url, HTTPStatus.FORBIDDEN)
            case status:
                raise EngineFailedError(status, reason)


def is_dump(folders: Sequence[str]) -> bool:
    """Whether a snapshot of these holds only what a database program said (see dumps)."""
    return len(folders) == 1 and folders[0].startswith(DUMP)


def pattern(path: str) -> str:
    """The pattern that matches exactly this path: restic takes * ? [ ] as wildcards."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)


def _secret(file: str) -> str:
    return Path(file).read_text().strip()


def _progress(phase: str, files: int, size: int, part: float) -> Progress:
    return Progress(phase=phase, files=files, bytes=size, percent=round(part * 100, 1))
