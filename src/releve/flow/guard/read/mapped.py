"""Files that somebody has mapped and writes to: no notification tells of that, so they are looked at."""

from releve.flow.guard.desk import Desk
from releve.flow.guard.ground import Ground
from releve.flow.guard.work import Job, Volume, What
from releve.flow.ports import Openers, Processes


class Mapped:
    """Has every mapped file judged that is no longer as it was held."""

    def __init__(
        self, ground: Ground, openers: Openers, processes: Processes, desk: Desk[Job]
    ) -> None:
        self._volumes, self._book, self._clock = ground.volumes, ground.book, ground.clock
        self._openers, self._processes, self._desk = openers, processes, desk

    def look(self) -> None:
        """Once over all of them."""
        for pid, path in self._openers.writers():
            for volume in self._volumes.values():
                for number, root in enumerate(volume.keeper.folders):
                    if path.startswith(root + "/"):
                        self._look_at_one(volume, number, pid, path)

    def _look_at_one(self, volume: Volume, number: int, pid: int, path: str) -> None:
        try:
            key = volume.keeper.place.key_of(path)
        except OSError:
            return
        node = volume.keeper.node(key)
        changed = volume.keeper.changed_ns(key)
        if node is None or not changed or changed == node.facts.ctime_ns:
            return
        process = self._processes.get(pid)
        file = volume.fsid + key
        now = self._clock.now_ns()
        seen = min(changed + now - self._clock.wall_ns(), now)
        touch = self._book.touch(process, file, number, seen)
        touch.wrote, touch.wrote_ns = True, seen
        self._book.wrote(process, file, now)
        job = Job(
            what=What.OPEN, process=process, volume=volume, file=file, folder=number, seen_ns=now
        )
        self._desk.put(process.pid, file, job)
