"""Roll-backs that cannot go on now, because the disk is read-only: kept open, and taken up again."""

from collections.abc import Callable

from releve.flow.guard.respond.conviction import Conviction, rolled_back
from releve.flow.guard.respond.journaling import Diary
from releve.flow.guard.respond.undoing import Undo
from releve.flow.ports import Clock

_AGAIN_S = 2.0


class Waiting:
    """Convictions with files that wait for their disk. Their rows in the journal stay open.

    Args:
        say: where lines go.
    """

    def __init__(
        self, diary: Diary, undo: Undo, clock: Clock, say: Callable[[object], None]
    ) -> None:
        self._diary, self._undo, self._clock, self._say = diary, undo, clock, say
        self._open: dict[str, tuple[Conviction, Callable[[], None]]] = {}
        self._due = 0.0

    def add(self, c: Conviction, family: str, finish: Callable[[], None]) -> None:
        """Take up a conviction of which something is blocked; `finish` when nothing is any more."""
        self._open[family] = c, finish
        self._due = self._clock.steady() + _AGAIN_S

    def again(self) -> None:
        """Try what is due; called now and then by the thread that undoes."""
        if not self._open or self._clock.steady() < self._due:
            return
        for family, (c, finish) in list(self._open.items()):
            touches, c.blocked = c.blocked, {}
            self._undo.undo(c, touches)
            if not c.blocked:
                del self._open[family]
                self._say(rolled_back(c, family, self._clock.wall_ns()))
                finish()
                self._diary.commit()
        self._due = self._clock.steady() + _AGAIN_S
