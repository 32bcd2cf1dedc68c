"""What one process touched: what it adds to now, and the rest packed."""

from collections.abc import Iterator

from releve.flow.guard.packed import Packed
from releve.model.held import Judged
from releve.recover.rollback import Touch

_IDLE_NS = 1_000_000_000  # what nobody added to for so long, and was not judged bad, is packed


class Touches:
    """Touches by their file. Not for two threads at once."""

    __slots__ = ("_idle", "_live")

    def __init__(self) -> None:
        self._live: dict[bytes, Touch] = {}
        self._idle: Packed | None = None

    def __len__(self) -> int:
        return len(self._live) + len(self._idle or ())

    def __iter__(self) -> Iterator[Touch]:
        """All of them, to be read: of what is packed they are copies."""
        yield from self._live.values()
        yield from self._idle or ()

    def find(self, file: bytes) -> Touch | None:
        """To be added to."""
        touch = self._live.get(file)
        if touch is None and self._idle is not None:
            touch = self._idle.take(file)
            if touch is not None:
                self._live[file] = touch
        return touch

    def put(self, touch: Touch) -> None:
        """In the place of the one that was found, or new."""
        self._live[touch.file] = touch

    def remove(self, file: bytes) -> None:
        """If it is there."""
        if self.find(file) is not None:
            del self._live[file]

    def live(self) -> list[Touch]:
        """What is not packed."""
        return list(self._live.values())

    def pack(self, touch: Touch, now_ns: int) -> None:
        """If it still is there and idle."""
        if self._live.get(touch.file) is not touch or not is_idle(touch, now_ns):
            return
        del self._live[touch.file]
        if not self._live:
            self._live = {}  # one that was large stays so
        if self._idle is None:
            self._idle = Packed()
        self._idle.put(touch)

    def forget(self, before_ns: int) -> None:
        """Of the packed ones some that are sound and older."""
        if self._idle is not None:
            self._idle.forget(before_ns)


def is_idle(touch: Touch, now_ns: int) -> bool:
    """Nobody adds to it, as far as time tells, and nobody waits for it."""
    return touch.judged is not Judged.BAD and now_ns - touch.last_ns > _IDLE_NS
