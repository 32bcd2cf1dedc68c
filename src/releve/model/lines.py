"""What the guard says on stdout, one JSON object a line: the contract for scripts and the agent.

Every line has a key `event`. Times are ISO 8601 UTC, durations milliseconds, sizes bytes.
Paths are clear: these lines never leave the host; the agent turns paths into keyed tokens first.
Readers ignore unknown keys: old agents stay in hospitals for years.
"""

from typing import TypeVar

import msgspec

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """One line of the guard."""


class Progress(Line, frozen=True, kw_only=True, tag_field="event", tag="progress"):
    """The baseline (or the comparison after a restart) advances; the last one says 100."""

    folder: str
    phase: str  # "baseline", "compare", "rescan"
    files: int
    percent: float
    bytes_held: int = 0


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """How one protected folder is held and watched."""

    path: str
    mode: str  # "reflink", "copy", "portable-clone", "portable-copy"
    attribution: str  # "exact" (kernel names the writer), "evidence" (portable), "none"
    room_bytes: int  # what the store may still take
    files: int = 0
    held_bytes: int = 0
    baseline_ms: float = 0.0
    can: tuple[str, ...] = ()  # sentences for people, French
    cannot: tuple[str, ...] = ()
    can_en: tuple[str, ...] = ()  # the same in English, as many
    cannot_en: tuple[str, ...] = ()


class Ready(Line, frozen=True, kw_only=True, tag_field="event", tag="ready"):
    """Every folder is held and watched."""

    folders: tuple[Folder, ...]
    enforce: bool
    pid: int
    store: str = ""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of a conviction; every point has a sentence."""

    why: str  # French
    score: float
    why_en: str = ""
    path: str = ""


class Stopped(Line, frozen=True, kw_only=True, tag_field="event", tag="stopped"):
    """A family was convicted and stopped (or, in watch mode, would have been)."""

    family: str  # stable id of the family on this host
    points: tuple[Point, ...]
    first_write_to_stop_ms: float  # earliest ctime of a touched file to T or dead seen in /proc
    action: (
        str  # "killed", "frozen", "client_blocked", "would_stop", "none" (writer unknown or gone)
    )
    files_touched: int
    at: str
    program: str = ""
    user: str = ""
    client: str = ""  # address of the SMB client, if it was one
    pids: tuple[int, ...] = ()


class RolledBack(Line, frozen=True, kw_only=True, tag_field="event", tag="rolled_back"):
    """What the family did is undone; content, names, owner, mode, mtime, ACL, xattrs as before."""

    family: str
    restored: int
    lost: tuple[str, ...]  # content older than the window that could not be brought back
    newest_save_lost: tuple[str, ...]  # only the version younger than the window is gone
    quarantined: tuple[str, ...]
    kept_both: tuple[str, ...] = ()  # beside copies of files that others edited too
    left: tuple[
        str, ...
    ] = ()  # came up during it, its author not known: stays, for a person to look at
    rollback_ms: float = 0.0
    at: str = ""


class Alert(Line, frozen=True, kw_only=True, tag_field="event", tag="alert"):
    """Something a person must know: store full, mass deletion, overflow, lost attribution."""

    kind: str  # a constant: "store_full", "mass_deletion", "overflow", "lineage_lost", "slow_score", ...
    why: str  # French
    why_en: str = ""
    folder: str = ""
    family: str = ""
    at: str = ""


class Window(Line, frozen=True, kw_only=True, tag_field="event", tag="window"):
    """Delay between an honest save and its settled held copy, over the last report period."""

    folder: str
    saves: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    held_bytes: int  # "held for you"
    room_bytes: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The guard in one object, as it answers on its control socket."""

    enforce: bool
    folders: tuple[Folder, ...]
    frozen: tuple[str, ...]  # families that wait for a person
    stopped: tuple[Stopped, ...]  # the last ones, oldest first


GuardLine = Progress | Ready | Stopped | RolledBack | Alert | Window


def in_utf8(line: T) -> T:
    """The line as it can be written: a byte of a name that is not UTF-8 is shown by its number.

    Such names come from old file systems, and an attacker may choose them.
    """
    try:
        _encode(line)
    except UnicodeEncodeError:
        return msgspec.convert(_shown(msgspec.to_builtins(line)), type(line))
    return line


def _shown(value: object) -> object:
    match value:
        case str():
            return _text(value)
        case list() | tuple():
            return [_shown(one) for one in value]
        case dict():
            return {name: _shown(one) for name, one in value.items()}
        case _:
            return value


def _text(name: str) -> str:
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character of UTF-16: no byte of a name
        return name.encode("utf-8", "backslashreplace").decode()
