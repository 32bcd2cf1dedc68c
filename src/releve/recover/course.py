"""What a plan means for one folder: which snapshot lies below, and what is laid over it.

Pure. A plan speaks of data sets and of paths on the machine that was lost; a recovery opens one
folder. Databases come from their own last clean snapshot; newer clean versions of files lie over
the clean snapshot; what may not come back is not shown.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable
from enum import StrEnum

import msgspec

from releve.model.clean import Newer, Plan, SetPlan, Why, Withheld
from releve.model.errors import ReleveError, UsageError

MOST_BYTES = (
    4_000_000_000  # laid before people come in; what is beyond stays at the vault, and is told
)


class NoCleanPointError(ReleveError):
    """The plan names nothing that this folder could come back from."""

    status = 34
    remedy = (
        "See `releve recover plan`; judge what was not judged yet with `releve recover scan`, or let a"
        " person take a doubtful snapshot on themselves: `releve recover accept`."
    )

    remedy_fr = (
        "Voir `releve recover plan` et `releve recover scan --list` ; si une personne sait bonne une"
        " sauvegarde douteuse : `releve recover accept`."
    )

    def __init__(self, folder: str, why: str, fr: str = "") -> None:
        super().__init__(f"No clean point for {folder}: {why}.")
        about = "la reprise" if folder == "the recovery" else folder
        self.fr = f"Pas de point sain pour {about} : {fr or why}."


class Cause(StrEnum):
    """Why a file does not come from the snapshot below."""

    NEWER = "newer"  # its newest clean version is younger
    INSTEAD = "instead"  # the snapshot below holds a version that may not come back
    DATABASE = "database"  # a database's own last clean snapshot is another one


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One file that comes from another snapshot; `path` is relative to the folder."""

    path: str
    source: str  # its path on the lost machine
    snapshot: str
    cause: Cause
    at: dt.datetime | None = None
    sha256: str = ""  # of a database: the manifest of its snapshot tells it
    size: int = 0


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is not shown, and why."""

    path: str
    why: Why
    is_database: bool = False


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """The way of one folder back."""

    folder: str
    snapshot: str
    at: dt.datetime | None
    why: tuple[Why, ...] = ()
    refused: tuple[tuple[str, Why], ...] = ()
    cut: dt.datetime | None = None
    first_suspect: str | None = None
    bases: str = ""  # the snapshot of the databases' consistent copies; empty: the same
    pieces: tuple[Piece, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    left: tuple[Piece, ...] = ()  # newer, but more than fits before people come in
    elsewhere: tuple[str, ...] = ()  # data sets that this folder does not hold

    @property
    def snapshots(self) -> tuple[str, ...]:
        """Every snapshot that it reads."""
        named = [self.snapshot, self.bases, *(piece.snapshot for piece in self.pieces)]
        return tuple(dict.fromkeys(filter(None, named)))


def course(
    plan: Plan,
    folder: str = "",
    *,
    target: str = "",
    most_bytes: int = MOST_BYTES,
    apart: Collection[str] = (),
) -> Course:
    """The course of one folder: of the one that the plan names, if it names one only.

    Args:
        target: where it comes back to: of several folders of the plan that one, if it is one of them.
        apart: snapshots of another repository than that of the snapshot below: what comes from them
            is laid, each database for itself.

    Raises: NoCleanPointError, UsageError.
    """
    folder = folder or _own_place(plan, target)
    whole = _set_for(plan, folder)
    if whole.snapshot is None:
        raise NoCleanPointError(
            whole.path, "no snapshot of it is clean", "aucune sauvegarde n'en est saine"
        )
    wanted = (folder or whole.path).rstrip("/") or "/"
    databases = [s for s in plan.sets if s is not whole and _inside(s.path, wanted)]
    bases = _bases([s for s in databases if s.snapshot not in apart], whole.snapshot)
    pieces, left = _within(_files(whole, wanted), most_bytes)
    return Course(
        folder=wanted,
        snapshot=whole.snapshot,
        at=whole.at,
        why=whole.why,
        refused=whole.refused,
        cut=plan.cut,
        first_suspect=plan.first_suspect,
        bases=bases,
        pieces=(*_databases(databases, wanted, bases or whole.snapshot), *pieces),
        hidden=tuple(_hidden(whole, databases, wanted)),
        left=left,
        elsewhere=tuple(s.path for s in plan.sets if s is not whole and s not in databases),
    )


def _set_for(plan: Plan, folder: str) -> SetPlan:
    """The folder's data set. Raises: NoCleanPointError, UsageError."""
    if folder:
        fitting = [s for s in plan.sets if s.path == folder or _inside(folder, s.path)]
        if not fitting:
            raise NoCleanPointError(folder, "the plan does not name it", "le plan ne le nomme pas")
        return max(fitting, key=lambda s: len(s.path))
    folders = _folders(plan)
    if len(folders) != 1:
        named = ", ".join(s.path for s in folders)
        if not named:
            raise NoCleanPointError(
                "the recovery", "nothing was judged yet", "aucune sauvegarde n'est jugée encore"
            )
        raise UsageError(
            f"several folders were backed up: name one with --folder ({named})",
            f"plusieurs dossiers étaient sauvegardés : en nommer un par --folder ({named})",
        )
    return folders[0]


def _own_place(plan: Plan, target: str) -> str:
    """Of several folders the one that comes back to its own place; "" for none."""
    folders = _folders(plan)
    at = target.rstrip("/")
    fits = any(s.path == at or _inside(at, s.path) for s in folders)
    return at if fits and len(folders) > 1 else ""


def _folders(plan: Plan) -> list[SetPlan]:
    """Those that can be opened: a dump is named by its own path in the repository."""
    every = [s for s in plan.sets if not any(_inside(s.path, o.path) for o in plan.sets)]
    return [s for s in every if s.data_set == s.path] or every


def _inside(path: str, folder: str) -> bool:
    return path != folder and path.startswith(folder.rstrip("/") + "/")


def _relative(path: str, folder: str) -> str:
    return path[len(folder.rstrip("/")) + 1 :]


def _bases(databases: Iterable[SetPlan], below: str) -> str:
    """The snapshot that most databases come from; empty when it is the one below."""
    votes = Counter(s.snapshot for s in databases if s.snapshot)
    if not votes:
        return ""
    most = max(votes.values())
    best = [name for name, count in votes.items() if count == most]
    return "" if below in best else best[0]


def _databases(databases: Iterable[SetPlan], folder: str, bases: str) -> list[Piece]:
    return [
        Piece(
            path=_relative(s.path, folder),
            source=s.path,
            snapshot=s.snapshot,
            cause=Cause.DATABASE,
            at=s.at,
        )
        for s in databases
        if s.snapshot and s.snapshot != bases
    ]


def _files(whole: SetPlan, folder: str) -> list[Piece]:
    """Newer versions, and earlier ones of what the snapshot below may not give back."""
    newer = {one.path: one for one in whole.newer if _inside(one.path, folder)}
    found = [_piece(one, folder) for one in newer.values()]
    for held in whole.withheld:
        is_needed = held.is_shown and held.instead and held.path not in newer
        if is_needed and _inside(held.path, folder):
            found.append(_earlier(held, folder))
    return found


def _piece(one: Newer, folder: str) -> Piece:
    return Piece(
        path=_relative(one.path, folder),
        source=one.path,
        snapshot=one.snapshot,
        cause=Cause.NEWER,
        at=one.at,
        sha256=one.sha256,
        size=one.size,
    )


def _earlier(held: Withheld, folder: str) -> Piece:
    return Piece(
        path=_relative(held.path, folder),
        source=held.path,
        snapshot=held.instead or "",
        cause=Cause.INSTEAD,
        sha256=held.sha256,
        size=held.size,
    )


def _within(pieces: list[Piece], most: int) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """As many as fit: earlier versions always, then the newest; and what is left."""
    order = sorted(pieces, key=lambda p: (p.cause is not Cause.INSTEAD, p.size, p.path))
    kept: list[Piece] = []
    left: list[Piece] = []
    total = 0
    for piece in order:
        fits = piece.cause is Cause.INSTEAD or total + piece.size <= most
        (kept if fits else left).append(piece)
        total += piece.size if fits else 0
    return tuple(kept), tuple(left)


def _hidden(whole: SetPlan, databases: Iterable[SetPlan], folder: str) -> list[Hidden]:
    newer = {one.path for one in whole.newer}
    found = [
        Hidden(path=_relative(held.path, folder), why=held.why)
        for held in whole.withheld
        if held.is_shown and not held.instead and held.path not in newer
        if _inside(held.path, folder)
    ]
    found += [
        Hidden(path=_relative(s.path, folder), why=_DOUBTED, is_database=True)
        for s in databases
        if not s.snapshot
    ]
    return found


_DOUBTED = Why(
    code="no_clean_point",
    fr="aucun état sain de cette base n'est connu",
    en="no clean state of this database is known",
)
