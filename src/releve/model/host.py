"""HostState: what is known of a host, folded from its events."""

import datetime as dt

import msgspec

from releve.model.event import FolderFacts, RecoveryTold


class FolderState(msgspec.Struct, frozen=True, kw_only=True):
    """One protected folder with its last measured window."""

    facts: FolderFacts
    percent: float = 100.0
    phase: str = ""
    held_bytes: int = 0
    room_bytes: int = 0
    saves: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    worst_ms: float | None = None


class BackupState(msgspec.Struct, frozen=True, kw_only=True):
    at: dt.datetime
    ok: bool
    ms: float
    last_good_at: dt.datetime | None = None
    folder_missing: bool = False  # the last one lacks a whole folder
    source_lack: str = ""  # "source_missing", "source_empty", "hook_failed": of the last one
    is_harmed: bool = False  # the last one was made, and shows harm
    verdict: str = ""  # of the last one that was judged; empty: this host judges nothing
    clean_at: dt.datetime | None = None  # the newest snapshot that was judged clean
    files: int = 0  # of the last one that was made
    bytes: int = 0
    bytes_added: int = 0
    databases: int = 0


class DrillState(msgspec.Struct, frozen=True, kw_only=True):
    """The restore drills of a host; `since`: when they were first expected of it."""

    since: dt.datetime
    at: dt.datetime | None = None
    ok: bool = True
    last_good_at: dt.datetime | None = None
    drill: str = ""  # the certificate's id, of the last one
    good_drill: str = ""  # of the last good one, as the figures below
    first_file_s: float | None = None
    patient_list_s: float | None = None
    databases_s: float | None = None
    all_local_s: float | None = None
    rpo_s: float | None = None
    rpo_judged: bool = False
    files: int = 0
    bytes: int = 0


class PaperState(msgspec.Struct, frozen=True, kw_only=True):
    """The recovery key's sheet of the repository in use, as the host tells it."""

    made_at: dt.datetime | None = None  # None: none was made
    tried_at: dt.datetime | None = None  # its paper opened the real repository; None: never


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """The host is cut from the network, but for its server."""

    since: dt.datetime
    until: dt.datetime  # it ends by itself then
    by: str = ""


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """The host as its own events tell it."""

    guard: str = "unknown"  # "unknown", "starting", "watching", "enforcing", "down", "ended"
    is_demonstration: bool = False  # a simulation told all this; its guard ends with it
    has_no_folders: bool = False  # taken in to guard and back up nothing: a reception desk
    folders: tuple[FolderState, ...] = ()
    guard_restarts: int = 0
    events_dropped: int = 0
    lines_unreadable: int = 0
    backup: BackupState | None = None
    drill: DrillState | None = None
    paper: PaperState | None = None  # None: the host has not told
    isolation: Isolation | None = None
    recoveries: tuple[RecoveryTold, ...] = ()  # begun for incidents, the newest
    told_at: dt.datetime | None = None  # of the newest event folded in


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """An enrolled host as its structure sees it."""

    id: str
    structure: str
    name: str
    enrolled_at: dt.datetime
    carries_care: bool  # isolating it is a proposal, never an automatic action
    care_role: str = ""
    last_seen_at: dt.datetime | None = None
    state: HostState = HostState()
