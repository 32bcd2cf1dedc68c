"""Who waits for news of a structure is woken when there are some. One event loop."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import anyio


def orders_of(structure: str) -> str:
    """The topic of a structure's orders: batches must not wake every host that waits for one."""
    return f"{structure}/orders"


EVERYTHING = "*"  # the topic of whoever watches all structures


MOST_WATCHED = 20  # live pages of one session: people have tabs, nobody has more of them open


class Live:
    """Counts the changes of each topic (a structure, or its orders); several at once wake once."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._news: dict[str, anyio.Event] = {}
        self._watched: Counter[str] = Counter()
        self.is_closing = False

    @contextmanager
    def watching(self, session: str) -> Iterator[bool]:
        """One more live page of this session, for as long as the block lasts; False: it has enough."""
        is_in = self._watched[session] < MOST_WATCHED
        self._watched[session] += is_in
        try:
            yield is_in
        finally:
            self._watched[session] -= is_in
            if not self._watched[session]:
                del self._watched[session]

    def version(self, structure: str) -> int:
        return self._versions.get(structure, 0)

    def touch(self, structure: str) -> None:
        for topic in (structure, EVERYTHING):
            self._touch(topic)

    def _touch(self, structure: str) -> None:
        self._versions[structure] = self.version(structure) + 1
        event = self._news.pop(structure, None)
        if event is not None:
            event.set()

    async def wait(self, structure: str, known: int, seconds: float) -> int:
        """The version as soon as it is not `known`, or after the time."""
        if self.version(structure) == known and not self.is_closing:
            event = self._news.setdefault(structure, anyio.Event())
            with anyio.move_on_after(seconds):
                await event.wait()
        return self.version(structure)

    def close(self) -> None:
        """Let everybody go: the server ends."""
        self.is_closing = True
        for structure in list(self._news):
            self._touch(structure)
