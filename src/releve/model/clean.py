"""Nouns of the clean point: what a changed file was judged to be, and what that says of a snapshot."""

import datetime as dt
import enum

import msgspec


class Verdict(enum.StrEnum):
    """Of a file, a data set or a snapshot. Only CLEAN is ever given back without a question."""

    CLEAN = "clean"
    UNJUDGED = "unjudged"  # the time ran out, or it could not be read: never counts as clean
    SUSPECT = "suspect"  # a person should look; a later snapshot may be clean again
    BAD = "bad"


class How(enum.StrEnum):
    """What became of a path between two neighbouring snapshots."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """One reason, for people; `code` for programs and statistics."""

    code: str
    fr: str
    en: str
    count: int = 1


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one version of a file: enough to judge it again without reading it."""

    sha256: str
    size: int
    kind: str = "unknown"  # of detect/ransom/formats
    state: str = "unknown"  # valid, broken, carrier, unknown
    uniform: float = 0.0
    is_opaque: bool = False
    is_active: bool = False  # a program, a script, a document with macros
    points: float = 0.0  # destruction against the version before; three and more is a loss
    matches: tuple[str, ...] = ()  # rules and indicators that fit the content
    verdict: Verdict = Verdict.CLEAN
    why: tuple[Why, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One path that differs from the snapshot before."""

    path: str
    how: How
    facts: Facts | None = None  # None: removed, or not judged yet
    before: Facts | None = None  # the version before, as it was judged then


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one transition of one data set."""

    present: int = 0  # files before it
    added: int = 0
    changed: int = 0
    removed: int = 0
    moved: int = 0  # removed here, the same content added there
    destroyed: int = 0
    malicious: int = 0
    unjudged: int = 0
    points: float = 0.0


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What one transition did to one data set."""

    data_set: str
    verdict: Verdict
    why: tuple[Why, ...] = ()
    totals: Totals = Totals()
    wounds: tuple[str, ...] = ()  # paths that are not what they should be, from this snapshot on
    healed: tuple[str, ...] = ()  # paths that are sound again, or gone if they were bad
    alarmed: bool = False  # the whole set is in doubt, whatever its files are: a person decides


class DataSet(msgspec.Struct, frozen=True, kw_only=True):
    """What is restored as one: a folder, or one database."""

    name: str
    path: str
    is_database: bool = False


class TableRows(msgspec.Struct, frozen=True, kw_only=True):
    """A database as its own engine sees it; rows by table."""

    opens: bool
    is_sound: bool = False
    rows: dict[str, int] = {}
    why: str = ""
    legible: tuple[str, ...] = ()  # samples of text that read ("table.column", first or last rows)
    sealed: tuple[str, ...] = ()  # samples that only a key opens, or that are no words at all


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot as the plan sees it: when its reading began and ended, and its judgements."""

    snapshot: str
    at: dt.datetime
    ended_at: dt.datetime
    judgements: tuple[Judgement, ...] = ()  # of the data sets that are in it
    is_complete: bool = True  # everything that changed was judged


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a file: the snapshots that have it, by their place in the series."""

    path: str
    first: int
    until: int | None  # the first snapshot that does not have it any more; None: it stands
    facts: Facts


class Newer(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose newest clean version is younger than the last clean snapshot."""

    path: str
    snapshot: str
    at: dt.datetime
    sha256: str
    size: int


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is not given back, and why: a newer one, or one that the clean snapshot holds."""

    path: str
    snapshot: str
    why: Why
    instead: str | None = None  # the snapshot whose version is to be taken; None: there is none
    sha256: str = ""  # of the version to be taken
    size: int = 0
    is_shown: bool = False  # the clean snapshot itself holds a version that may not come back


class SetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where one data set comes back from."""

    data_set: str
    path: str
    snapshot: str | None  # None: no clean snapshot is known
    at: dt.datetime | None = None
    why: tuple[Why, ...] = ()
    refused: tuple[tuple[str, Why], ...] = ()  # the snapshots after it, each with its first reason
    newer: tuple[Newer, ...] = ()
    withheld: tuple[Withheld, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="plan"):
    """The answer to "where do we come back from?"."""

    cut: dt.datetime | None  # the first malicious write that is known
    first_suspect: str | None  # the first snapshot of what is in doubt now
    sets: tuple[SetPlan, ...] = ()
