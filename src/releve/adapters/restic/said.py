"""What restic says: its JSON lines, parsed at the door."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.model.backup import Snapshot

_CRASHES = ("panic: ", "fatal error: ")  # Go's; what follows is where in its code
_NO_READ = "unexpected HTTP response (403)"  # only what is loaded is refused in these words
_FULL = "(507)"  # Insufficient Storage, in each line that says what is tried again


# What restic says; fields that we do not use are left out, unknown ones ignored.
class Status(msgspec.Struct, tag_field="message_type", tag="status"):
    percent_done: float = 0.0
    files_done: int = 0
    bytes_done: int = 0
    files_restored: int = 0
    bytes_restored: int = 0


class Unread(msgspec.Struct):
    message: str = ""


class Error(msgspec.Struct, tag_field="message_type", tag="error"):
    error: Unread
    item: str = ""


class Summary(msgspec.Struct, tag_field="message_type", tag="summary"):
    snapshot_id: str = ""
    backup_start: dt.datetime | None = None
    files_new: int = 0
    files_changed: int = 0
    total_files_processed: int = 0
    total_bytes_processed: int = 0
    data_added_packed: int = 0
    total_duration: float = 0.0
    num_errors: int = 0


class ExitError(msgspec.Struct, tag_field="message_type", tag="exit_error"):
    message: str = ""


class Whole(msgspec.Struct, frozen=True):
    backup_end: dt.datetime | None = None
    total_files_processed: int = 0


class SnapshotSaid(msgspec.Struct):
    id: str
    time: dt.datetime
    paths: tuple[str, ...]
    hostname: str = ""
    summary: Whole = Whole()


class Node(msgspec.Struct, frozen=True):
    """An entry of a snapshot, as `ls` and `find` tell it."""

    path: str
    type: str
    mtime: dt.datetime
    ctime: dt.datetime
    size: int = 0


class Found(msgspec.Struct, frozen=True):
    """The hits of `find` in one snapshot."""

    snapshot: str
    matches: tuple[Node, ...] = ()


class Difference(msgspec.Struct, frozen=True, tag_field="message_type", tag="change"):
    """A path that differs between two snapshots; folders end in a slash."""

    path: str
    modifier: str  # "+", "-", "M" (content), "T" (type), and combinations


class _Statistics(msgspec.Struct, tag_field="message_type", tag="statistics"):
    pass


class LsNode(Node, frozen=True, tag_field="message_type", tag="node"):
    pass


class _LsSnapshot(msgspec.Struct, tag_field="message_type", tag="snapshot"):
    pass


_talk = msgspec.json.Decoder(Status | Error | Summary | ExitError).decode
_snapshots = msgspec.json.Decoder(list[SnapshotSaid]).decode
found = msgspec.json.Decoder(list[Found]).decode
differs = msgspec.json.Decoder(Difference | _Statistics).decode
listed = msgspec.json.Decoder(LsNode | _LsSnapshot).decode


def is_full(line: str) -> bool:
    """Whether restic says there that the server has no room."""
    return _FULL in line


def snapshots(said: bytes) -> list[Snapshot]:
    """What `snapshots` lists, oldest first."""
    made = (
        Snapshot(
            id=s.id,
            at=s.time.astimezone(dt.UTC),
            host=s.hostname,
            folders=s.paths,
            ended_at=s.summary.backup_end and s.summary.backup_end.astimezone(dt.UTC),
            files=s.summary.total_files_processed,
        )
        for s in _snapshots(said or b"[]")
    )
    return sorted(made, key=lambda snapshot: snapshot.at)


def understood(record: bytes) -> object | None:
    """What restic said, or None for lines that we have no use for (verbose ones, plain text)."""
    try:
        said: object = _talk(record)
    except msgspec.DecodeError:
        return None
    return said


def plain(record: str) -> str:
    said = understood(record.encode())
    if isinstance(said, ExitError):
        return said.message.strip().removeprefix("Fatal: ")
    return said.error.message if isinstance(said, Error) else record.strip()


def why(stderr: Sequence[str]) -> str:
    """Its last words as a reason for people; of a crash what it was, not where in its code."""
    if crash := [line for line in stderr if line.startswith(_CRASHES)]:
        return crash[-1].strip()
    return "; ".join(plain(record) for record in stderr[-3:]) or "it said nothing"


def is_read_refused(stderr: Sequence[str]) -> bool:
    """Whether the vault gave none of the stored data: a budget that is used up, a right that ended."""
    return any(_NO_READ in record for record in stderr)
