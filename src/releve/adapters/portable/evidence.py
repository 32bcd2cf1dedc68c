"""Best evidence of who writes: what the processes of the same user have open, and how much they wrote.

No kernel names the writer here. While files change, every process that we may look at is sampled
(open files, bytes written, current folder); at a conviction the samples are weighed, children with
their parents. Whoever is not clearly ahead of everybody else is not accused.
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from releve.adapters.portable.probe import Probe, Seen

_HOT_S: Final = 2.0  # sampling goes on this long after the last change
_EVERY_S: Final = 0.02
_IDLE_S: Final = 2.0
_SHARE: Final = 4  # a sample may take a quarter of the time between two
_MEMORY_S: Final = 60.0
_MOST: Final = 0.6  # of all bytes written in the meantime
_SURE_WAVES: Final = 3
_BUSIEST: Final = 4
_LOOKS: Final = 12
_SEARCH_S: Final = 0.25  # how long a conviction looks for the writer
CLEAR: Final = 5.0  # points from which somebody is accused ...
AHEAD: Final = 2.5  # ... if nobody else comes near


class Clue(msgspec.Struct, frozen=True, kw_only=True):
    """One reason to name a process."""

    why_fr: str
    why_en: str
    points: float


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """Who is named, and why. `clear`: sure enough to stop it."""

    seen: Seen
    clues: tuple[Clue, ...]
    clear: bool

    @property
    def points(self) -> float:
        return sum(clue.points for clue in self.clues)


class _Trace:
    """All that was seen of one process."""

    __slots__ = ("at", "folders", "inside", "reads", "seen", "total", "writes", "wrote")

    def __init__(self, seen: Seen, total: int) -> None:
        self.seen, self.total = seen, total
        self.wrote = 0
        self.writes: set[str] = set()
        self.reads: set[str] = set()
        self.folders = 0
        self.inside = False
        self.at = time.monotonic()


class Evidence:
    """Samples processes while files change, and weighs what was seen.

    Args:
        probe: what can be asked of processes on this system.
        folders: the protected ones.
    """

    def __init__(self, probe: Probe, folders: Sequence[str]) -> None:
        self._probe, self._folders = probe, tuple(folders)
        self._traces: dict[tuple[int, int], _Trace] = {}
        self._pids: dict[int, _Trace] = {}
        self._lock = threading.Lock()
        self._stirred = threading.Event()
        self._hot_until = 0.0
        self._changed = 0
        self._waves: dict[tuple[int, int], int] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stir(self, changed: int) -> None:
        """Files changed just now, `changed` bytes of them."""
        now = time.monotonic()
        if now > self._hot_until:
            self._begin()
        self._changed += changed
        self._hot_until = now + _HOT_S
        self._stirred.set()

    def _begin(self) -> None:
        """A new burst of changes: what was written before it proves nothing."""
        self._changed = 0
        with self._lock:
            for trace in self._traces.values():
                trace.wrote = 0

    def _run(self) -> None:
        while not self._closing.is_set():
            before = time.monotonic()
            self.sample()
            spent = time.monotonic() - before
            if time.monotonic() < self._hot_until:
                self._closing.wait(max(_EVERY_S, _SHARE * spent))
            else:
                self._stirred.clear()
                self._stirred.wait(_IDLE_S)

    def sample(self) -> None:
        """Look once at every process that may be looked at."""
        now = time.monotonic()
        hot = now < self._hot_until
        with self._lock:
            for pid in self._probe.pids():
                self._look(pid, now, hot=hot)
            for key in [k for k, t in self._traces.items() if now - t.at > _MEMORY_S]:
                trace = self._traces.pop(key)
                if self._pids.get(trace.seen.pid) is trace:
                    del self._pids[trace.seen.pid]

    def _look(self, pid: int, now: float, *, hot: bool) -> None:
        trace = self._pids.get(pid)
        total = self._probe.written(pid)
        if total is None:
            return
        if trace is None or total < trace.total or now - trace.at > 1.0:
            seen = self._probe.see(pid)
            if seen is None:
                return
            trace = self._traces.get((pid, seen.start_ns))
            if trace is None:
                trace = self._traces[pid, seen.start_ns] = _Trace(seen, 0 if hot else total)
            trace.seen = seen
            self._pids[pid] = trace
        trace.wrote += max(0, total - trace.total)
        trace.total, trace.at = total, now
        if hot:
            self._hands_on(trace)

    def _hands_on(self, trace: _Trace) -> None:
        for path, writes in self._probe.open_below(trace.seen.pid, self._folders):
            (trace.writes if writes else trace.reads).add(path)
        trace.inside = trace.inside or self._probe.is_inside(trace.seen.pid, self._folders)

    def writers_now(self) -> list[tuple[int, str]]:
        """(pid, path) of every file below the folders that is open or mapped for writing now."""
        with self._lock:
            pids = [pid for pid, trace in self._pids.items() if trace.seen.eligible]
        found = []
        for pid in pids:
            found += [
                (pid, path) for path, writes in self._probe.open_below(pid, self._folders) if writes
            ]
        return found

    def open_for_writing(self, pid: int) -> set[str]:
        """What a process has open for writing below the folders, now."""
        return {path for path, writes in self._probe.open_below(pid, self._folders) if writes}

    # weighing

    def suspect(self, damaged: Callable[[], Collection[str]], since_ns: int) -> Suspect | None:
        """Who most likely did what happened to the damaged paths since then (the probe's clock)."""
        end = time.monotonic() + _SEARCH_S
        self._hot_until = max(self._hot_until, end)
        best = None
        self.sample()
        self._note_wave()
        rounds = 0
        while True:
            best = self._weigh(damaged(), since_ns)
            if (best is not None and best.clear) or time.monotonic() > end:
                break
            rounds += 1
            self._watch_closely() if rounds % 3 else self.sample()
        self._begin()
        return best

    def _watch_closely(self) -> None:
        """Look again and again at those that write most: a file is open for a millisecond only."""
        with self._lock:
            busiest = sorted(
                (t for t in self._pids.values() if t.seen.eligible and t.wrote),
                key=lambda t: -t.wrote,
            )[:_BUSIEST]
            for _ in range(_LOOKS):
                for trace in busiest:
                    self._hands_on(trace)

    def _note_wave(self) -> None:
        """Who wrote nearly all, and about as much as changed, since the last conviction.

        Once may be chance; who does so at every wave of an attack writes it, even if nobody ever
        sees it with a file open.
        """
        with self._lock:
            traces = [trace for trace in self._traces.values() if trace.seen.eligible]
            all_wrote, changed = sum(trace.wrote for trace in traces), self._changed
            for trace in traces:
                if changed and trace.wrote > 0.9 * all_wrote and 0.5 < trace.wrote / changed < 2.0:
                    self._waves[trace.seen.key] = self._waves.get(trace.seen.key, 0) + 1

    def _weigh(self, paths: Collection[str], since_ns: int) -> Suspect | None:
        touched = frozenset(paths)
        with self._lock:
            traces = list(self._traces.values())
        families: dict[tuple[int, int], list[_Trace]] = {}
        chains: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for trace in traces:
            chain = self._chain(trace)
            chains[trace.seen.key] = chain
            for key in chain:
                families.setdefault(key, []).append(trace)
        all_wrote = sum(trace.wrote for trace in traces if trace.seen.eligible)
        weighed = [
            (self._clues(key, family, touched, since_ns, all_wrote), key)
            for key, family in families.items()
            if self._probe.is_alive(self._traces[key].seen)
            and any(f.wrote or f.writes for f in family)
        ]
        return self._decide([w for w in weighed if w[0]], chains)

    def _chain(self, trace: _Trace) -> list[tuple[int, int]]:
        """Itself and its ancestors, as far as they may be accused."""
        chain: list[tuple[int, int]] = []
        at: _Trace | None = trace
        while at is not None and at.seen.eligible and at.seen.key not in chain:
            chain.append(at.seen.key)
            at = self._pids.get(at.seen.parent)
        return chain

    def _clues(
        self,
        key: tuple[int, int],
        family: list[_Trace],
        touched: frozenset[str],
        since_ns: int,
        all_wrote: int,
    ) -> tuple[Clue, ...]:
        writes = _of(set().union(*(trace.writes for trace in family)), touched)
        reads = set().union(*(trace.reads for trace in family)) & touched
        wrote = sum(trace.wrote for trace in family)
        clues = []
        if writes:
            clues.append(_clue(
                min(6.0, 2.0 * len(writes)),
                f"avait {_n(len(writes), 'fichier abîmé ouvert', 'fichiers abîmés ouverts')} en écriture",
                f"had {len(writes)} damaged file(s) open for writing",
            ))  # fmt: skip
        if len(reads - writes) > 1:
            clues.append(_clue(
                1.0, f"lisait {len(reads)} des fichiers abîmés", f"was reading {len(reads)} of the damaged files"
            ))  # fmt: skip
        share = wrote / all_wrote if all_wrote else 0.0
        if share >= _MOST and self._changed and wrote >= self._changed // 2:
            clues.append(_clue(
                2.0, f"a écrit {share:.0%} de tout ce que les programmes ont écrit pendant l'attaque",
                f"wrote {share:.0%} of all that programs wrote during the attack",
            ))  # fmt: skip
        waves = self._waves.get(key, 0)
        if waves:
            clues.append(_clue(
                1.5 * waves,
                f"a écrit, {_n(waves, 'fois', 'fois')}, autant d'octets qu'il en a été abîmé",
                f"wrote as many bytes as were damaged, {waves} time(s)",
            ))  # fmt: skip
        if any(trace.inside for trace in family) and writes:
            clues.append(
                _clue(0.5, "travaillait dans le dossier protégé", "worked in the protected folder")
            )
        if self._traces[key].seen.start_ns > since_ns - 10_000_000_000 and writes:
            clues.append(_clue(0.5, "a été lancé juste avant", "was started just before"))
        return tuple(clues)

    def _decide(
        self,
        weighed: list[tuple[tuple[Clue, ...], tuple[int, int]]],
        chains: dict[tuple[int, int], list[tuple[int, int]]],
    ) -> Suspect | None:
        if not weighed:
            return None
        points = {key: sum(clue.points for clue in clues) for clues, key in weighed}
        most = max(points.values())
        # The lowest process that carries the evidence: its shell carries it too, and did nothing.
        clues, best = max(
            (w for w in weighed if points[w[1]] >= 0.9 * most), key=lambda w: len(chains[w[1]])
        )
        rivals = [
            value for key, value in points.items()
            if key not in chains[best] and best not in chains[key]
        ]  # fmt: skip
        clear = points[best] >= CLEAR and points[best] >= AHEAD * max(rivals, default=0.0)
        hands_on = self._waves.get(best, 0) >= _SURE_WAVES or any(
            trace.writes
            for trace in self._traces.values()
            if best in chains.get(trace.seen.key, ())
        )
        return Suspect(seen=self._traces[best].seen, clues=clues, clear=clear and hands_on)

    def close(self) -> None:
        self._closing.set()
        self._stirred.set()
        if self._thread.is_alive():
            self._thread.join(2)


def _of(paths: Collection[str], damaged: Collection[str]) -> set[str]:
    """Those that are damaged, or are the new file beside a damaged one ("letter.docx.tmp")."""
    return {path for path in paths if path in damaged or path.rpartition(".")[0] in damaged}


def _clue(points: float, why_fr: str, why_en: str) -> Clue:
    return Clue(points=points, why_fr=why_fr, why_en=why_en)


def _n(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
