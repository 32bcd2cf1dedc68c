"""All originals of a guard, over its file systems: how many, how much room, and whose harm."""

from releve.flow.guard.ground import Ground
from releve.model.held import Judged
from releve.model.process import Process

_PATHS = 500  # of what one process touched: the latest tell enough


class Originals:
    """Asks every keeper."""

    def __init__(self, ground: Ground) -> None:
        self._volumes, self._book = ground.volumes, ground.book
        self._clock, self._limits = ground.clock, ground.limits
        self._pruned_at = ground.clock.steady()

    def living(self) -> int:
        """Originals that live now."""
        return sum(
            v.keeper.counts(n)[0]
            for v in self._volumes.values()
            for n in range(len(v.keeper.folders))
        )

    def freeable(self) -> tuple[int, int]:
        """Deleted files whose versions are still held, and their bytes."""
        counts = [v.keeper.gone_count() for v in self._volumes.values()]
        return sum(c[0] for c in counts), sum(c[1] for c in counts)

    def free(self) -> int:
        """Give back the room of all deleted files now, on a person's request; answers how many."""
        freed = 0
        for volume in self._volumes.values():
            freed += volume.keeper.prune_gone(self._clock.now_ns(), 1 << 30)
            # The room itself returns with it: somebody waits for it.
            volume.keeper.commit(sure=True)
        return freed

    def prune(self) -> int:
        """Give back the room of deleted files after the retention; answers how many were dropped."""
        now = self._clock.steady()
        ran, self._pruned_at = now - self._pruned_at, now
        keep_ns, ran_ns = int(self._limits.retention_s * 1e9), int(ran * 1e9)
        return sum(v.keeper.retire(keep_ns, ran_ns) for v in self._volumes.values())

    def commit(self) -> bool:
        """Make what was noted survive kill -9; True when notes were lost and all is to be compared."""
        lost = False
        for volume in self._volumes.values():
            volume.keeper.commit()
            lost |= volume.keeper.take_lost()
        return lost

    def damaged(self, process: Process) -> set[str]:
        """Paths of what it touched and what is not known to be sound, new and former names."""
        paths = set()
        touches = [
            t for t in self._book.of(process.tree()).values() if t.judged is not Judged.CLEAN
        ]
        for touch in sorted(touches, key=lambda t: -t.last_ns)[:_PATHS]:
            keeper = self._volumes[touch.file[:8]].keeper
            node = keeper.node(touch.file[8:])
            names = {
                *touch.was,
                *touch.became,
                *(keeper.names(node.id) if node is not None else ()),
            }
            paths |= {keeper.path(name) for name in names}
        return paths
