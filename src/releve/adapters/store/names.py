"""Which node has which name: kept in step with what is created, linked, renamed and deleted."""

import os

from releve.adapters.store.stock import Stock
from releve.model.held import Name


class Names:
    """The names of one keeper; each belongs to one node."""

    def __init__(self, stock: Stock) -> None:
        self._lock, self._index = stock.lock, stock.index
        self._place, self._clock = stock.place, stock.clock

    def named(self, key: bytes, name: Name) -> None:
        """`key` appeared under `name` (created, linked or renamed there)."""
        with self._lock:
            node = self._index.node(key)
            if node is not None:
                self.own(node.id, name)
            else:
                owner = self._index.at_name(name)
                if owner is not None:
                    self._index.drop_name(owner, name, self._clock.now_ns())

    def unnamed(self, key: bytes | None, name: Name) -> int | None:
        """`name` went away; answers the node that had it."""
        with self._lock:
            owner = self._index.at_name(name)
            if owner is None:
                return None
            gone = self._index.node(key) if key is not None else None
            if key is not None and (gone is None or gone.id != owner):
                return None  # told late: the name belongs to another by now
            now = self._clock.now_ns()
            self._index.drop_name(owner, name, now)
            if not self._index.names(owner):
                self._index.set_gone(owner, now)
            return owner

    def own(self, node: int, name: Name) -> None:
        """Give `name` to `node`, whoever had it. The caller locks."""
        owner = self._index.at_name(name)
        if owner == node:
            return
        if owner is not None:
            self._index.drop_name(owner, name, self._clock.now_ns())
        self._index.add_name(node, name, self._clock.now_ns())

    def forget(self, node: int, now_ns: int) -> None:
        """All names of a node went. The caller locks."""
        for name in self._index.names(node):
            self._index.drop_name(node, name, now_ns)
        self._index.set_gone(node, now_ns)

    def path(self, name: Name) -> str:
        """The path of a name, for people and for roll-back; through the held tree if it is gone."""
        directory = self._place.directory_path(name.directory)
        if directory is None:
            with self._lock:
                node = self._index.node(name.directory)
                upper = self.last_name(node.id) if node else None
            directory = self.path(upper) if upper else "?"
        return os.path.join(directory, os.fsdecode(name.name))

    def last_name(self, node: int) -> Name | None:
        """Its name, or the last one it had."""
        with self._lock:
            names = self._index.names(node)
            if names:
                return names[0]
            past = self._index.past_names(node)
            return past[0][0] if past else None
