"""Where signed heads of the audit trail go: a folder of another machine, the system's log."""

import os
import syslog
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from releve.flow.server.shipping import HeadPlace
from releve.flow.vault.heads import read_line
from releve.model.audit import AuditHead
from releve.model.errors import ReleveError

_MARK = b'{"head":'
_TAIL_BYTES = 4096  # more than the longest line
_LOG_SOCKET = Path("/dev/log")
_head = msgspec.json.Decoder(AuditHead).decode


class HeadsUnreadableError(ReleveError):
    """What should hold shipped heads cannot be read, or holds none."""

    status = 102
    remedy = "Name a file or folder that `releve server run --ship-heads` filled, or a syslog file."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}.")


def place_of(words: str) -> HeadPlace:
    return SystemLog() if words == "syslog" else HeadFolder(Path(words))


class HeadFolder:
    """A file per structure, only ever added to. The folder is not made: an empty mount point is none."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.name = folder, str(folder)

    def newest(self, structure: str) -> int:
        if not self._folder.is_dir():
            raise NotADirectoryError(0, "the folder is not there", self.name)
        try:
            with self._file(structure).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                lines = file.read().split(b"\n")[:-1]  # what follows the last line end was cut off
        except FileNotFoundError:
            return 0
        return next((seq for line in reversed(lines) if (seq := _seq_of(line))), 0)

    def add(self, structure: str, lines: Sequence[tuple[int, bytes]]) -> None:
        with self._file(structure).open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")  # a crash cut a line: it comes again, whole
            file.write(b"".join(line for _, line in lines))
            file.flush()
            os.fsync(file.fileno())

    def _file(self, structure: str) -> Path:
        return self._folder / f"audit-heads-{structure}.jsonl"


class SystemLog:
    """The facility of sign-ins (authpriv), which log shippers carry to another machine."""

    name = "syslog"

    def __init__(self) -> None:
        self._sent: dict[str, int] = {}
        syslog.openlog("releve-audit", 0, syslog.LOG_AUTHPRIV)

    def newest(self, structure: str) -> int | None:
        if not _LOG_SOCKET.exists():
            raise FileNotFoundError(0, "no system log runs here", str(_LOG_SOCKET))
        return self._sent.get(structure)

    def add(self, structure: str, lines: Sequence[tuple[int, bytes]]) -> None:
        for _, line in lines:
            syslog.syslog(syslog.LOG_NOTICE, line.decode().strip())
        self._sent[structure] = lines[-1][0]


def read_lines(path: Path) -> list[bytes]:
    """The heads of a file, or of all files of a folder; a log's own words before them are left out.

    Raises: HeadsUnreadableError.
    """
    try:
        files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        found = [line for file in files for line in _heads_in(file.read_bytes())]
    except OSError as error:
        raise HeadsUnreadableError(path, error.strerror or str(error)) from error
    if not found:
        raise HeadsUnreadableError(path, "holds no signed head")
    return found


def _heads_in(content: bytes) -> Iterator[bytes]:
    """A line that a crash cut is none: its head comes again after it, or shows as missing."""
    for line in content.splitlines():
        _, mark, rest = line.partition(_MARK)
        if mark and _seq_of(mark + rest):
            yield mark + rest


def _seq_of(line: bytes) -> int:
    try:
        return _head(read_line(line).head).seq
    except msgspec.DecodeError:
        return 0
