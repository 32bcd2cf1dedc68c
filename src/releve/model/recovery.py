"""A recovery as its driver notes it on its own host: of which incident, from when, how far."""

import datetime as dt

import msgspec


class RecoveryNote(msgspec.Struct, frozen=True, kw_only=True):
    """Stays on the host: it names a folder in clear. `pid` and `starttime` are its driver's."""

    id: str
    incident: str
    folder: str
    snapshot: str
    clean_at: dt.datetime | None
    ordered_at: dt.datetime
    phase: str  # "open", "local", "closing", "verifying", "done"
    pid: int = 0
    starttime: int = 0
    seconds: dict[str, float] = {}  # since the order, by step that was reached
    files: int = 0
    files_home: int = 0
    bytes: int = 0
    bytes_home: int = 0
    laid: int = 0
    failures: int = 0
