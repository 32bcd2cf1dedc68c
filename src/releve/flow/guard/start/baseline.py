"""Holds every folder at the start, or compares it after a pause, and says how far it is."""

from collections.abc import Callable

from releve.flow.guard.start.resuming import RECENT_NS, together
from releve.flow.guard.work import Volume
from releve.flow.ports import Clock, Keeper
from releve.model.held import HoldResult, Kind
from releve.model.lines import Alert, Progress
from releve.model.process import Process


class Baseline:
    """Makes baselines.

    Args:
        say: where progress and alerts go.
        outside: told of files of ours that may have a name outside: volume, key, folder.
    """

    def __init__(
        self,
        clock: Clock,
        say: Callable[[object], None],
        outside: Callable[[Volume, bytes, int], None],
    ) -> None:
        self._clock, self._say, self._outside = clock, say, outside
        self.took_ms: dict[str, float] = {}  # per folder

    def take(self, volume: Volume, number: int, folder: str, absent: Process) -> list[HoldResult]:
        """Hold what is not held as it is; answers what changed since the guard last watched."""
        keeper = volume.keeper
        first = keeper.is_empty(number)
        recent = [] if first else keeper.recent(number, RECENT_NS)
        started = self._clock.steady()
        total = keeper.count_entries(number)
        phase = "baseline" if first else "compare"

        def progress(files: int, size: int) -> None:
            share = min(99.0, 100 * files / total) if total else 0.0
            self._say(
                Progress(
                    folder=folder,
                    phase=phase,
                    files=files,
                    percent=round(share, 1),
                    bytes_held=size,
                )
            )

        walked = keeper.baseline(number, "" if first else absent.id, progress)
        changed: list[HoldResult] = []
        if first:
            for result in walked:
                self.note_outside(volume, number, result)
            keeper.complete(number)
        else:
            changed = together(walked, recent)
        files, size = keeper.counts(number)
        self.took_ms[folder] = round((self._clock.steady() - started) * 1000, 1)
        self._say(Progress(folder=folder, phase=phase, files=files, percent=100.0, bytes_held=size))
        self._say_unreadable(keeper, folder)
        return changed

    def note_outside(self, volume: Volume, number: int, result: HoldResult) -> None:
        """A file with several names may have one outside the folder."""
        facts = result.facts
        if facts is not None and facts.kind is Kind.FILE and facts.nlink > 1 and result.key:
            self._outside(volume, result.key, number)

    def _say_unreadable(self, keeper: Keeper, folder: str) -> None:
        count = keeper.take_unreadable()
        if count:
            self._say(
                Alert(
                    kind="not_held",
                    folder=folder,
                    why=f"Fichiers que le gardien ne peut pas lire, et ne garde pas : {count}. "
                    "Donnez-lui le droit de les lire, ou lancez-le en root.",
                    why_en=f"Files that the guard cannot read, and does not hold: {count}. Let it read them, or "
                    "run it as root.",
                )
            )
