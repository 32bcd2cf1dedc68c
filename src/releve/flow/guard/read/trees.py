"""Directory trees that came in from outside in one move: what lies in them was never notified."""

import threading

from releve.flow.guard.book import Book
from releve.flow.guard.work import Volume
from releve.flow.ports import Clock


class Trees:
    """Notes them while reading, walks them afterwards."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book, self._clock = book, clock
        self._waiting: list[tuple[Volume, int, bytes]] = []
        self._lock = threading.Lock()

    def add(self, volume: Volume, folder: int, directory: bytes) -> None:
        """`directory` (file system id + key) came in; never waits."""
        with self._lock:
            self._waiting.append((volume, folder, directory))

    def walk(self) -> None:
        """Hold what lies in all that came in so far, as made by whoever moved it."""
        while self._waiting:
            with self._lock:
                volume, folder, directory = self._waiting.pop(0)
            self._walk_one(volume, folder, directory)

    def _walk_one(self, volume: Volume, folder: int, directory: bytes) -> None:
        node = volume.keeper.node(directory[8:])
        writer = self._book.last_writer(directory)
        if node is None:
            return
        for result in volume.keeper.tree(directory[8:], folder, writer.id if writer else "tree"):
            if result.is_new and writer is not None:
                file, now = directory[:8] + result.key, self._clock.now_ns()
                self._book.touch(writer, file, folder, now).created = True
