"""Events: what a host sensed, in the form that may leave it. No clear path, no patient data.

Every event has a key `kind`. Readers ignore unknown keys, and an unknown kind is kept unread.
"""

import datetime as dt

import msgspec


class HiddenPath(msgspec.Struct, frozen=True, kw_only=True):
    """A path as it may leave the host: keyed token, extension, class of its folder."""

    token: str
    extension: str = ""  # only from a known list: "file.DUPONT" would be a name
    folder: str = ""  # "documents", "imaging", "database", ...


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a conviction; the sentences hold no clear path."""

    why: str  # French
    score: float
    why_en: str = ""
    path: HiddenPath | None = None


class FolderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How one protected folder is held and watched."""

    folder: str  # token of its path
    label: str  # chosen by the administrator, or "1", "2", ...
    mode: str
    attribution: str
    room_bytes: int
    files: int = 0
    held_bytes: int = 0
    baseline_ms: float = 0.0
    can: tuple[str, ...] = ()  # French sentences
    cannot: tuple[str, ...] = ()
    can_en: tuple[str, ...] = ()  # the same in English; none of a guard of before
    cannot_en: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Something that happened on a host."""

    seen_at: dt.datetime  # UTC, the host's clock


class BaselineAdvanced(Event, frozen=True, kw_only=True, tag="baseline_advanced"):
    folder: str
    phase: str
    files: int
    percent: float
    held_bytes: int = 0


class GuardReady(Event, frozen=True, kw_only=True, tag="guard_ready"):
    """Every folder is held and watched."""

    folders: tuple[FolderFacts, ...]
    enforce: bool


class GuardWentDown(Event, frozen=True, kw_only=True, tag="guard_went_down"):
    """The guard ended without being asked; the agent starts it again."""

    status: int | None  # exit status, negative for a signal; None: it was not the agent's child
    restarts: int


class FamilyStopped(Event, frozen=True, kw_only=True, tag="family_stopped"):
    """The guard convicted a family; `action` says what was done about it."""

    family: str
    action: str  # "killed", "frozen", "client_blocked", "would_stop", "none"
    reasons: tuple[Reason, ...]
    first_write_to_stop_ms: float
    files_touched: int
    program: str = ""
    user: str = ""
    client: str = ""
    indicators: tuple[str, ...] = ()  # tokens, `model/indicator.py`


class FamilyRolledBack(Event, frozen=True, kw_only=True, tag="family_rolled_back"):
    """What the family did is undone. Counts are whole; the lists of paths may be cut."""

    family: str
    restored: int
    lost: int
    newest_save_lost: int
    quarantined: int
    kept_both: int = 0
    left: int = 0
    rollback_ms: float = 0.0
    lost_paths: tuple[HiddenPath, ...] = ()
    newest_save_lost_paths: tuple[HiddenPath, ...] = ()
    indicators: tuple[str, ...] = ()


class GuardAlerted(Event, frozen=True, kw_only=True, tag="guard_alerted"):
    alert: str  # the guard's constant: "store_full", "overflow", ...
    why: str
    why_en: str = ""
    folder: str = ""
    family: str = ""


class WindowMeasured(Event, frozen=True, kw_only=True, tag="window_measured"):
    """Delay between an honest save and its settled held copy."""

    folder: str
    saves: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    held_bytes: int
    room_bytes: int


FOLDER_MISSING = "folder_missing"  # the detail of a backup that lacks a whole folder
# Details of backups that were made, but lack a source: a database, a store of images, a command.
SOURCE_MISSING, SOURCE_EMPTY, HOOK_FAILED = "source_missing", "source_empty", "hook_failed"


HARMED = ("bad", "suspect")  # verdicts of a backup that was made and is not to be relied on


class BackupRan(Event, frozen=True, kw_only=True, tag="backup_ran"):
    ok: bool
    ms: float
    status: int | None = None  # exit status; None: the command could not be started
    detail: str = ""
    snapshot_at: dt.datetime | None = None  # the host's clock; None: none was made
    files: int = 0
    bytes: int = 0
    bytes_added: int = 0
    databases: int = 0
    verdict: str = ""  # "clean", "unjudged", "suspect", "bad"; empty: this host judges nothing
    clean_at: dt.datetime | None = None  # the newest snapshot that this run judged clean


class DrillRan(Event, frozen=True, kw_only=True, tag="drill_ran"):
    """A restore drill ended. `is_expected`: none did; drills are expected of this host from now on."""

    ok: bool
    is_expected: bool = False
    status: int | None = None
    detail: str = ""
    drill: str = ""
    first_file_s: float | None = None  # of each step None: not reached, or interrupted
    patient_list_s: float | None = None
    databases_s: float | None = None
    all_local_s: float | None = None
    rpo_s: float | None = None
    rpo_judged: bool = False  # it counts from a snapshot that was judged clean file by file
    files: int = 0
    bytes: int = 0


class PaperKeyTold(Event, frozen=True, kw_only=True, tag="paper_key_told"):
    """How it stands with the recovery key's sheet of the repository in use; the newest telling counts.

    Two dates: neither mark nor key nor generation, nothing that tells one paper from another.
    """

    made_at: dt.datetime | None = None  # the newest sheet; None: none was made
    tried_at: dt.datetime | None = None  # its paper opened the real repository; None: never


class FileRestored(Event, frozen=True, kw_only=True, tag="file_restored"):
    """A person brought a file or folder back, at the host itself."""

    path: HiddenPath
    by: str  # token of the person's name
    source: str  # "held", "snapshots"
    version_at: dt.datetime
    in_place: bool
    ok: bool
    files: int = 1


class RecoveryTold(Event, frozen=True, kw_only=True, tag="recovery_told"):
    """How far a recovery is that was begun for an incident; the newest telling of it counts."""

    recovery: str
    incident: str
    folder: HiddenPath
    label: str = ""  # chosen by the administrator
    snapshot: str
    clean_at: dt.datetime | None = None  # of when the clean point is
    ordered_at: dt.datetime
    phase: str  # "open", "local", "closing", "verifying", "done"
    is_running: bool
    seconds: dict[str, float] = {}  # since the order, by step that was reached
    files: int = 0
    files_home: int = 0
    bytes: int = 0
    bytes_home: int = 0
    laid: int = 0
    failures: int = 0


class OrderEnded(Event, frozen=True, kw_only=True, tag="order_ended"):
    """What became of an order on the host; a refusal is an end too."""

    order: str
    number: int
    ok: bool
    detail: str = ""


class HostIsolated(Event, frozen=True, kw_only=True, tag="host_isolated"):
    """The host is cut from the network; told again when the end moves."""

    since: dt.datetime
    until: dt.datetime  # it ends by itself then, unless it is renewed
    by: str = ""  # login or name of who answers for it; empty: nobody was named at the machine


class HostReleased(Event, frozen=True, kw_only=True, tag="host_released"):
    """The host is cut no more: lifted by a person, by an order, or ended by itself."""


class EventsDropped(Event, frozen=True, kw_only=True, tag="events_dropped"):
    """The spool was full: so many events were given up, oldest and least telling first."""

    count: int


class LinesUnreadable(Event, frozen=True, kw_only=True, tag="lines_unreadable"):
    """So many records of a source could not be read."""

    source: str
    count: int
    why: str


class VaultNoticed(Event, frozen=True, kw_only=True, tag="vault_noticed"):
    """A vault told something that its people must hear of; `seen_at` is the vault's clock."""

    notice: str  # the vault's constant: "object_bad", "restore_opened", ...
    about: str = ""
    facts: dict[str, str] = {}


class VaultProofRefused(Event, frozen=True, kw_only=True, tag="vault_proof_refused"):
    """What came with a vault's token does not follow from what the vault had signed before."""

    why: str  # "signature", "went_back", "changed", "standing"
    seq: int = 0
    known_seq: int = 0


class VaultWentSilent(Event, frozen=True, kw_only=True, tag="vault_went_silent"):
    """No new head came for minutes."""

    since: dt.datetime  # the server's clock: the last new head


GuardEvent = (
    BaselineAdvanced | GuardReady | FamilyStopped | FamilyRolledBack | GuardAlerted | WindowMeasured
)
AgentEvent = (
    GuardWentDown
    | BackupRan
    | DrillRan
    | PaperKeyTold
    | FileRestored
    | RecoveryTold
    | OrderEnded
    | HostIsolated
    | HostReleased
)
# Told by a vault, or found out about it by the server: no agent can say these.
VaultEvent = VaultNoticed | VaultProofRefused | VaultWentSilent
AnyEvent = GuardEvent | AgentEvent | EventsDropped | LinesUnreadable


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be read: counted and shown, it never stops the sensor."""

    source: str
    offset: int
    why: str
