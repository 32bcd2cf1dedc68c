"""The slow eye: what is done now and then, beside the three stages."""

import threading
from collections.abc import Callable

from releve.flow.guard.ground import Ground
from releve.flow.guard.hold.holding import Holder
from releve.flow.guard.hold.originals import Originals
from releve.flow.guard.quiet import Quiet
from releve.flow.guard.read.mapped import Mapped
from releve.flow.guard.read.trees import Trees
from releve.flow.guard.respond.responding import Responder
from releve.flow.guard.start.resuming import Resume
from releve.model.lines import Alert
from releve.model.process import Process

_COMMIT_S = 0.1  # so old may be what a kill -9 makes forgotten: verdicts come after the last hold
_WINDOW_S = 5.0
_PACK_S = 1.0


class Rounds:
    """Mapped files, trees that came in, rescans, commits, room, the window's figures."""

    def __init__(
        self,
        ground: Ground,
        originals: Originals,
        trees: Trees,
        mapped: Mapped,
        holder: Holder,
        responder: Responder,
        resume: Resume,
        quiet: Quiet,
        settle: Callable[[], None],
    ) -> None:
        self._volumes, self._clock, self._say = ground.volumes, ground.clock, ground.say
        self._limits, self._pace = ground.limits, ground.pace
        self._book = ground.book
        self._originals, self._trees, self._mapped = originals, trees, mapped
        self._holder, self._responder = holder, responder
        self._resume, self._quiet, self._settle = resume, quiet, settle
        self.rescan = threading.Event()  # something was lost: compare everything
        self._committed_at = self._looked_at = self._said_at = self._packed_at = (
            ground.clock.steady()
        )

    def turn(self) -> None:
        """Do what is due by now."""
        self._trees.walk()
        if self.rescan.is_set():
            self.rescan.clear()
            self._compare_all()
        now = self._clock.steady()
        self._pace.look()
        if now - self._committed_at >= _COMMIT_S:
            self._committed_at = now
            if self._originals.commit():
                self.rescan.set()
        if now - self._looked_at >= self._limits.walk_every_s:
            self._looked_at = now
            self._mapped.look()
            self._responder.look_at_frozen()
        if now - self._packed_at >= _PACK_S:
            self._packed_at = now
            self._book.pack(self._clock.now_ns())
            self._settle()
        if now - self._said_at >= _WINDOW_S:
            self._said_at = now
            self.say_window()
            self._originals.prune()

    def overflow(self) -> None:
        """Notifications were lost."""
        if not self.rescan.is_set():
            self._say(
                Alert(
                    kind="overflow",
                    why="Des notifications ont été perdues : tout est comparé de nouveau aux originaux.",
                    why_en="Notifications were lost: everything is compared with the originals again.",
                )
            )
        self.rescan.set()

    def say_window(self) -> None:
        """Say the window since the last time, if there were saves."""
        volume = next(iter(self._volumes.values()))
        keeper = volume.keeper
        window = self._holder.window(keeper.folders[0], keeper.held_bytes, keeper.room_bytes())
        if window is not None:
            self._say(window)

    def _compare_all(self) -> None:
        absent = Process(0, self._clock.now_ns(), None, program="(inconnu)", known=False)
        self._quiet.comparing = True
        try:
            for volume in self._volumes.values():
                for number in range(len(volume.keeper.folders)):
                    changed = list(volume.keeper.baseline(number, absent.id, lambda _f, _b: None))
                    self._resume.judge(volume, number, changed, absent)
        finally:
            self._quiet.comparing = False
        self._responder.again(absent)  # what was judged after its conviction is undone as well
