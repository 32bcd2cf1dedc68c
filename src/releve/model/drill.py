"""Nouns of the restore drill: what was examined, when each mark was reached, and the certificate.

What stays on the host (`Work`) may hold names of files, which are patient data. What leaves it
(`Certificate`) holds counts, endings and times only.
"""

import datetime as dt
import enum

import msgspec

from releve.model.backup import Snapshot


class StepName(enum.StrEnum):
    """The steps of a drill, in their order."""

    CHOOSE = "choose"
    FIRST_FILE = "first_file"
    PATIENT_LIST = "patient_list"
    DATABASES = "databases"
    ALL_LOCAL = "all_local"
    HASHES = "hashes"
    DUMPS = "dumps"
    DICOM = "dicom"
    CANARIES = "canaries"


class Outcome(enum.StrEnum):
    """What became of a check. Only PASSED is a success; ABSENT says that there was nothing to check."""

    PASSED = "passed"
    FAILED = "failed"
    ABSENT = "absent"
    NOT_DONE = "not_done"  # an earlier step failed, or a component lacks: see the reasons


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a check did not pass, or what its reader must know; `kind` has its text in both languages."""

    kind: str
    label: str = ""  # "Base 1": never a name of a file
    seen: str = ""
    wanted: str = ""


NEWER = "newer"  # the error of a dump whose server is newer than the programs here: not damaged


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A database that was opened and counted. `path` is where it belongs on the host."""

    path: str
    kind: str  # "sqlite", "postgresql"
    tables: dict[str, int] = {}  # name -> rows
    newest: str = ""  # the newest date that a business row holds, ISO 8601; empty: no such column
    error: str = ""  # it did not open, or is damaged

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A database as the certificate names it."""

    label: str
    kind: str
    tables: int
    rows: int
    newest: str = ""
    rows_before: int | None = None  # at the last drill that passed


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was examined, in figures."""

    name: str
    outcome: Outcome
    counted: int = 0
    bad: int = 0
    bytes: int = 0
    reasons: tuple[Reason, ...] = ()
    parts: tuple[Part, ...] = ()


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a step of the workflow left in the journal; it stays on the host."""

    checks: tuple[Check, ...] = ()
    snapshot: Snapshot | None = None
    opened: tuple[Opened, ...] = ()
    bad_paths: tuple[str, ...] = ()  # the first ones only
    files: int = 0
    bytes: int = 0
    stop: bool = False  # nothing after it makes sense


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A time that can be subtracted: the steady clock counts within one start of the machine."""

    at: dt.datetime  # aware UTC, wall clock
    steady_s: float
    boot: str


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """One life of the process that works on a drill, from its start to its last sign of life."""

    number: int  # from 1
    began: Moment
    alive: Moment


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A step that ended, once: in which stretch, from when to when, with what."""

    name: StepName
    stretch: int
    began: Moment
    ended: Moment
    work: Work


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the RTO. `elapsed_s` counts from the order, interruptions included.

    `worked_s` leaves out the time in which no process worked on it. None: it was not reached.
    """

    name: str
    elapsed_s: float | None
    worked_s: float | None
    is_interrupted: bool = False


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that a drill restored and judged."""

    at: dt.datetime
    is_verified: bool
    is_clean: bool
    is_judged: bool = False  # `is_clean` is the clean-point catalogue's word


class Referent(msgspec.Struct, frozen=True, kw_only=True):
    """The person of the trade who says that the restored data can be worked with."""

    name: str
    role: str
    in_production: bool | None = None  # whether the restore went to production, as declared


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a drill ran, and how far it was kept from the live data."""

    host: str
    isolation: str  # "namespace" (live folders read-only), "folder" (a private folder only), "none"
    engine: str  # "restic 0.18.0", or the product that a certified restore was made with
    cpus: int = 0


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed. Every figure was measured; what was not is None or NOT_DONE with its reason."""

    version: int = 1
    id: str
    kind: str  # "drill": Relève restored it; "certify": somebody else did
    structure: str
    verdict: str  # "passed", "failed"
    place: Place
    ordered_at: dt.datetime
    ended_at: dt.datetime
    snapshot: str = ""
    snapshot_at: dt.datetime | None = None
    files: int = 0
    bytes: int = 0
    checks: tuple[Check, ...] = ()
    rto: tuple[Mark, ...] = ()
    rpo_s: float | None = None
    rpo_from: dt.datetime | None = None  # the snapshot that it counts from
    rpo_judged: bool = False  # that one was judged clean file by file, not by its witnesses alone
    interruptions: int = 0
    idle_s: float = 0.0  # the time in which nothing worked on it
    referent: Referent | None = None


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """A drill as the journal lists it."""

    id: str
    host: str
    ordered: Moment
    kind: str = "drill"  # or "certify"
    snapshot: str = ""  # named; empty: the newest
    room: str = ""  # a folder for clean rooms; empty: in the drills' own
    ended_at: dt.datetime | None = None
    verdict: str = ""  # empty: not ended


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """How often a drill is to run; `hour` is of the local clock."""

    every_days: int = 7
    hour: int = 20
