"""What a store knows of the past: folders as of a time, by the names they had then.

Read beside a running guard: the index is opened read-only, in one transaction, so that all answers
are of one moment; nothing of the store is changed.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from urllib.parse import quote

import msgspec

from releve.adapters.store.index import Index
from releve.model.held import Generation, Kind, Name, Node
from releve.recover.as_of import STILL, Stay, changed_ns, generation_at, is_sound, names_at

Key = Callable[[str], bytes]  # of a directory that exists; raises OSError


class ReadOnly(Index):
    """The index of a store that a guard may be writing: no schema, no lasting change."""

    def __init__(self, store: str) -> None:
        super().__init__(":memory:")  # whatever an index keeps beside its database
        self.db.close()
        path = os.path.join(store, "index.sqlite")
        uri = f"file:{quote(path)}?mode=ro"
        self.db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a folder as it was; `parts` from the folder down, () is the folder itself."""

    parts: tuple[str, ...]
    node: Node
    generation: Generation | None = None  # None: a directory, a link, or a file without version


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """When something below a folder came or was renewed, and when something went (ns)."""

    gains: Sequence[int]
    losses: Sequence[int]


class History:
    """The past of one store. One per question; close it.

    Args:
        store: the guard's store.
        keys: how directories are named there, one function per kind of place.
    """

    def __init__(self, store: str, keys: Sequence[Key]) -> None:
        self._index, self._keys = ReadOnly(store), keys
        self._db = self._index.db
        self._db.execute("BEGIN")
        # `was` has no index by directory, which only this needs: a passing one of our own.
        self._db.execute("CREATE TEMP TABLE past AS SELECT node,parent,name,until FROM was")
        self._db.execute("CREATE INDEX temp.past_parent ON past(parent,name)")

    def close(self) -> None:
        self._db.close()

    def folder(self, path: str, at_ns: int) -> bytes | None:
        """The key of the directory that had this path at a time; None if there was none."""
        found = next(self._folders(path, at_ns), None)
        return found.key if found else None

    def folder_ever(self, path: str) -> bytes | None:
        """The key of the directory that has this path, or had it last."""
        for root, below in self._roots(path):
            keys = [root]
            for part in below:
                nodes = [n for key in keys for n in self._ever(Name(key, os.fsencode(part)))]
                keys = [node.key for node in nodes if node.facts.kind is Kind.DIRECTORY]
            if keys:
                return keys[0]
        return None

    def stands(self, path: str) -> bool:
        """A directory has this path now."""
        return self.folder(path, STILL - 2) is not None

    def since(self, path: str) -> int:
        """From when on all that stood there is known: its first baseline was whole (ns); 0 if never."""
        pure = PurePath(path)
        rows = self._db.execute("SELECT key,value FROM setting WHERE key LIKE 'baseline %'")
        above = (pure, *pure.parents)
        known = [int(v or 0) for k, v in rows if PurePath(k.removeprefix("baseline ")) in above]
        return min((ns for ns in known if ns), default=0)

    def below(self, key: bytes, at_ns: int) -> Iterator[Held]:
        """What stood in a directory at a time: itself first, parents before children.

        Directories and links are as last known: only files have versions. A directory that is not
        known to be so old is there if something that is stood in it.
        """
        node = self._index.db.execute("SELECT id FROM node WHERE key=?", (key,)).fetchone()
        top = self._index.node_by_id(int(node[0])) if node else None
        if top is not None:
            yield Held(parts=(), node=top)
            yield from self._below(key, (), at_ns)

    def changes(self, key: bytes) -> Changes:
        """All that is known to have moved below a directory, under today's and all past names."""
        gains: list[int] = []
        losses: list[int] = []
        seen, stack = {key}, [key]
        while stack:
            directory = stack.pop()
            rows = self._db.execute(
                "SELECT node,0 FROM name WHERE parent=:d"
                " UNION ALL SELECT node,until FROM past WHERE parent=:d",
                {"d": directory},
            ).fetchall()
            for number, until in rows:
                losses += [until] if until else []
                node = self._index.node_by_id(number)
                if node is None:
                    continue
                if node.facts.kind is Kind.DIRECTORY and node.key not in seen:
                    seen.add(node.key)
                    stack.append(node.key)
                gains += [changed_ns(g) for g in self._index.generations(number) if is_sound(g)]
        return Changes(gains=gains, losses=losses)

    # the way down

    def _roots(self, path: str) -> Iterator[tuple[bytes, tuple[str, ...]]]:
        """Protected folders above a path: their key, and the parts from there."""
        pure = PurePath(path)
        rows = self._db.execute("SELECT key FROM setting WHERE key LIKE 'baseline %'").fetchall()
        for (setting,) in rows:
            folder = PurePath(str(setting).removeprefix("baseline "))
            if folder in (pure, *pure.parents):
                for key in self._root_keys(str(folder)):
                    yield key, pure.relative_to(folder).parts

    def _root_keys(self, folder: str) -> list[bytes]:
        found = []
        for key_of in self._keys:
            with contextlib.suppress(OSError):
                found.append(key_of(folder))
        known = [key for key in found if self._is_parent(key)]
        if known:
            return known
        # The protected folder itself is gone: of all directories only such have no name.
        rows = self._db.execute(
            "SELECT key FROM node WHERE kind=2 AND id NOT IN (SELECT node FROM name)"
            " AND id NOT IN (SELECT node FROM past)"
        ).fetchall()
        return [row[0] for row in rows]

    def _is_parent(self, key: bytes) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM name WHERE parent=?1 UNION ALL SELECT 1 FROM past WHERE parent=?1"
            " LIMIT 1",
            (key,),
        )
        return row.fetchone() is not None

    def _folders(self, path: str, at_ns: int) -> Iterator[Node]:
        for root, below in self._roots(path):
            key: bytes | None = root
            for part in below:
                key = self._step(key, os.fsencode(part), at_ns) if key else None
            row = self._db.execute("SELECT id FROM node WHERE key=?", (key or b"",)).fetchone()
            node = self._index.node_by_id(int(row[0])) if row else None
            if node is not None:
                yield node

    def _step(self, directory: bytes, name: bytes, at_ns: int) -> bytes | None:
        for node in self._ever(Name(directory, name)):
            if node.facts.kind is Kind.DIRECTORY and self._had(
                node, 1, Name(directory, name), at_ns
            ):
                return node.key
        return None

    def _ever(self, name: Name) -> list[Node]:
        """Who has this name, then who had it, the latest first."""
        rows = self._db.execute(
            "SELECT node, 9223372036854775806 AS until FROM name WHERE parent=:d AND name=:n"
            " UNION ALL SELECT node,until FROM past WHERE parent=:d AND name=:n ORDER BY until DESC",
            {"d": name.directory, "n": name.name},
        ).fetchall()
        nodes = (self._index.node_by_id(number) for number in dict.fromkeys(r[0] for r in rows))
        return [node for node in nodes if node is not None]

    # a directory as of a time

    def _below(self, key: bytes, parts: tuple[str, ...], at_ns: int) -> Iterator[Held]:
        for name, node in self._entries(key, at_ns):
            down = (*parts, os.fsdecode(name))
            if node.facts.kind is Kind.FILE:
                held = generation_at(self._index.generations(node.id), at_ns)
                if held is not None or node.born_ns <= at_ns:
                    yield Held(parts=down, node=node, generation=held)
            elif node.facts.kind is Kind.LINK:
                if min(node.born_ns, node.facts.ctime_ns) <= at_ns:
                    yield Held(parts=down, node=node)
            elif node.facts.kind is Kind.DIRECTORY:
                yield from self._directory(node, down, at_ns)

    def _directory(self, node: Node, parts: tuple[str, ...], at_ns: int) -> Iterator[Held]:
        entries = self._below(node.key, parts, at_ns)
        first = next(entries, None)
        if first is not None or node.born_ns <= at_ns:
            yield Held(parts=parts, node=node)
        if first is not None:
            yield first
            yield from entries

    def _entries(self, directory: bytes, at_ns: int) -> Iterator[tuple[bytes, Node]]:
        """(name, node) of a directory at a time; of two that had a name, who lost it first."""
        rows = self._db.execute(
            "SELECT name,node,until FROM past WHERE parent=:d AND until>:t UNION ALL"
            " SELECT name,node,9223372036854775806 FROM name WHERE parent=:d ORDER BY 1,3",
            {"d": directory, "t": at_ns},
        ).fetchall()
        taken: set[bytes] = set()
        for name, number, _ in rows:
            node = self._index.node_by_id(number)
            links = self._links(node, at_ns) if node and name not in taken else 0
            if node and links and self._had(node, links, Name(directory, name), at_ns):
                taken.add(name)
                yield name, node

    def _links(self, node: Node, at_ns: int) -> int:
        if node.facts.kind is not Kind.FILE:
            return 1
        held = generation_at(self._index.generations(node.id), at_ns)
        return held.facts.nlink if held else node.facts.nlink

    def _had(self, node: Node, links: int, name: Name, at_ns: int) -> bool:
        stays = [Stay(now, STILL) for now in self._index.names(node.id)]
        stays += [Stay(past, until) for past, until in self._index.past_names(node.id)]
        return name in names_at(stays, links, at_ns)
