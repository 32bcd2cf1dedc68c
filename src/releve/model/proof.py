"""What was measured on this installation: the result of `releve simulate`, and the promises it proves.

This is the object that `releve simulate --json` prints. A figure that was not measured is None and is
shown as "not measured here", never as zero.
"""

import msgspec

from releve.model.lines import GuardLine


class AttackResult(msgspec.Struct, frozen=True, kw_only=True):
    """One attack on one file system. `files_lost`: content older than the window, not as before."""

    name: str
    fs: str  # "ext4", "xfs", "btrfs", or the file system found in portable mode
    kind: str = ""  # "encryptor", "evasion", "wiper", "breaking", "smb"
    files_touched: int  # originals changed, renamed or gone when the attacker was stopped
    files_lost: int
    newest_save_lost: int
    first_write_to_stop_ms: float | None  # as the guard said; None: nobody was stopped
    rollback_ms: float | None
    stopped: bool = True
    over: bool = False  # not stopped: it had ended by itself before it was convicted
    wrong: tuple[
        str, ...
    ] = ()  # what differs after the rollback: "path: mode 0600 instead of 0644"
    skipped: str = ""  # why it could not run here; then the figures mean nothing
    lines: tuple[GuardLine, ...] = ()  # what the guard said, in order
    started_at: str = ""
    condition: str = ""  # the condition under which this holds, in French


class HonestResult(msgspec.Struct, frozen=True, kw_only=True):
    """One honest workload. `held_out`: the rules were not tuned on it."""

    name: str
    fs: str
    stopped: bool
    slowdown: float | None  # guard on / guard off, same run; None: not measured
    held_out: bool = False
    wanted_stop: bool = False  # bulk gpg with deletion: needs an approval, by design
    points: float = 0.0
    skipped: str = ""
    why: tuple[str, ...] = ()  # the guard's sentences, if it was stopped
    alerts: tuple[
        str, ...
    ] = ()  # kinds of alerts beside (mass deletion, ...): told, nobody stopped


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where the figures come from."""

    at: str
    host: str
    kernel: str
    cpus: int
    memory_bytes: int
    load: float
    root: bool
    file_systems: tuple[str, ...]
    mode: str  # "exact" or "portable"
    files: int
    bytes: int
    versions: dict[str, str] = {}
    not_shown: tuple[str, ...] = ()  # what was not tested on this machine, and why (French)


class WindowResult(msgspec.Struct, frozen=True, kw_only=True):
    """The window between an honest save and its settled held copy, as the guard measured it."""

    fs: str
    saves: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


class CareResult(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the chain beside the guard that was really run: backup, restore, server, console."""

    name: str  # "backup", "restore", "incident_visible", ...
    ok: bool
    ms: float
    detail: str = ""  # French, one sentence


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """All of one run."""

    attacks: tuple[AttackResult, ...]
    honest: tuple[HonestResult, ...]
    environment: Environment
    windows: tuple[WindowResult, ...] = ()
    care: tuple[CareResult, ...] = ()
    command: str = ""  # the command that measures it again
    seconds: float = 0.0
