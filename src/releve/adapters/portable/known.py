"""What was last known to stand at each name: the index of originals, and what was told since.

The index lags behind by what waits to be held; changes told in between are remembered here.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from releve.adapters.store.keeper import Keeper
from releve.model.held import Kind, Name, Node

_TOLD: Final = 50_000


class State(NamedTuple):
    """An entry when it was last told, or as the index has it."""

    key: bytes
    is_directory: bool
    size: int
    mtime_ns: int
    ctime_ns: int


class Known:
    """The known tree of one volume. Used by the watcher's reading thread only."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._told: OrderedDict[Name, State | None] = OrderedDict()
        self._name_of: OrderedDict[bytes, Name] = OrderedDict()
        self._inside: dict[bytes, set[bytes]] = {}  # names told, by directory

    def at(self, name: Name) -> State | None:
        """What was last told of a name, else what the index says."""
        if name in self._told:
            return self._told[name]
        return self.indexed(name)

    def indexed(self, name: Name) -> State | None:
        """What the index says: the guard's own roll-backs stand there and nowhere else."""
        with self._keeper.lock:
            number = self._keeper.index.at_name(name)
            node = self._keeper.index.node_by_id(number) if number is not None else None
        return _state(node) if node is not None else None

    def node(self, key: bytes) -> Node | None:
        return self._keeper.node(key)

    def tell(self, name: Name, state: State | None) -> None:
        """This was told (or needs no telling): it is what is known from now on."""
        self._told[name] = state
        self._told.move_to_end(name)
        self._inside.setdefault(name.directory, set()).add(name.name)
        if state is not None:
            self._name_of[state.key] = name
            self._name_of.move_to_end(state.key)
        if len(self._told) > _TOLD:
            old, _ = self._told.popitem(last=False)
            names = self._inside[old.directory]
            names.discard(old.name)
            if not names:
                del self._inside[old.directory]
        if len(self._name_of) > _TOLD:
            self._name_of.popitem(last=False)

    def names(self, key: bytes) -> list[Name]:
        """Names that an inode is known by."""
        node = self._keeper.node(key)
        found = self._keeper.names(node.id) if node is not None else []
        told = self._name_of.get(key)
        names = dict.fromkeys((*found, told) if told is not None else found)
        return [n for n in names if (state := self.at(n)) is not None and state.key == key]

    def children(self, directory: bytes) -> dict[bytes, State]:
        """Everything known to stand in a directory, by name."""
        with self._keeper.lock:
            rows = self._keeper.index.entries(directory)
        found = {
            name: State(key, kind == Kind.DIRECTORY, size, mtime, ctime)
            for name, key, kind, size, mtime, ctime in rows
        }
        for name in self._inside.get(directory, ()):
            state = self._told[Name(directory, name)]
            if state is None:
                found.pop(name, None)
            else:
                found[name] = state
        return found


def _state(node: Node) -> State:
    f = node.facts
    return State(node.key, f.kind is Kind.DIRECTORY, f.size, f.mtime_ns, f.ctime_ns)
