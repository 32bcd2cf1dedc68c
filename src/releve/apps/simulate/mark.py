"""The mark of a practice share: attacks refuse to touch a folder that the simulation did not make."""

from pathlib import Path

from releve.model.errors import ReleveError

MARK = ".releve-simulation"


class UnmarkedError(ReleveError):
    """An attack was pointed at a folder that the simulation did not make."""

    status = 34
    remedy = (
        "Attacks run only in a share that `releve simulate` built itself; start them through it."
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} carries no mark of the simulation: refused.")
        self.folder = folder


def write_mark(folder: Path, run: str) -> None:
    """Mark the folder as made by this run, before anything else is put into it."""
    (folder / MARK).write_text(f"{run}\n", encoding="ascii")


def require_mark(folder: Path) -> str:
    """The id of the run that made the folder.

    Raises:
        UnmarkedError: the mark is missing, is a link, or does not say a run's id.
    """
    mark = folder / MARK
    if folder.is_symlink() or mark.is_symlink() or not mark.is_file():
        raise UnmarkedError(folder)
    run = mark.read_text(encoding="ascii", errors="replace").strip()
    if not run.startswith("sim-"):
        raise UnmarkedError(folder)
    return run
