"""The index of held originals: SQLite on disk, so that a million files cost disk and not memory.

One writer connection, used under the keeper's lock. Commits are batched by the caller; WAL with
synchronous=NORMAL survives kill -9 without loss and a power cut without corruption (the last
moments are then found again by comparing the tree with the index).
"""

import contextlib
import errno
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping

import msgspec

from releve.adapters.store.objects import keep_in_place
from releve.adapters.store.rows import GENERATION, NODE, SCHEMA, columns_of, generation_of, node_of
from releve.model.held import Facts, Generation, Judged, Kind, Name, Node

_WRITE_BACK = 4000  # changed rows; two or three pages of the log each
_KNOWN_MOST = 1024  # about 0.6 MB


class Index:
    """Rows of nodes, names, generations and convictions. Not thread-safe: the keeper locks."""

    def __init__(self, path: str) -> None:
        self._closed, self._path = False, path
        self._written_back = 0  # rows that were changed by then
        # How often a full disk took back what was not committed: numbers may come again.
        self.lost = 0
        # Asked for lately, known or not: six ask per save.
        self._known: OrderedDict[bytes, Node | None] = OrderedDict()
        self._keys: dict[int, bytes] = {}  # of those
        if path != ":memory:":
            keep_in_place(f"{path}-shm")
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.execute("PRAGMA cache_size=-1000")  # 1 MB: the guard stays small on big trees
        # At the latest: 64 MB, written back by a commit for which everybody waits.
        self.db.execute("PRAGMA wal_autocheckpoint=16000")
        # A full disk is met at the commit and nowhere else.
        self.db.execute("PRAGMA cache_spill=OFF")
        self.db.executescript(SCHEMA)
        for table in ("name", "was"):  # of a store that was made before names had a beginning
            if "since" not in {row[1] for row in self.db.execute(f"PRAGMA table_info({table})")}:
                self.db.execute(f"ALTER TABLE {table} ADD COLUMN since INTEGER NOT NULL DEFAULT 0")
        self._renewed = self._read_renewed()  # directories made again: former key, key

    def begin(self) -> None:
        """Open a transaction unless one is open."""
        if not self.db.in_transaction:
            self.db.execute("BEGIN")

    def commit(self) -> None:
        """Make what came since `begin` survive kill -9.

        Raises: OSError (ENOSPC): the disk is full, and what came since `begin` is gone.
        """
        if self._closed or not self.db.in_transaction:
            return
        try:
            self.db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            self.lost += 1
            self._known.clear()
            self._keys.clear()
            self._renewed = self._read_renewed()
            raise OSError(errno.ENOSPC, "the index could not be written") from error

    def write_back(self) -> None:
        """Write what was committed from SQLite's log into the index, if that is much.

        It waits for the disk, twice, and keeps nobody else waiting: on a connection of its own,
        which needs no lock of the keeper. What fails is done by a later one.
        """
        with contextlib.suppress(sqlite3.Error):
            changed = self.db.total_changes
            if changed - self._written_back < _WRITE_BACK:
                return
            self._written_back = changed
            own = sqlite3.connect(self._path, timeout=0.0, isolation_level=None)
            with contextlib.closing(own):
                own.execute("PRAGMA synchronous=NORMAL")
                own.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self.commit()
        self._closed = True
        self.db.close()

    def setting(self, key: str) -> bytes | None:
        row = self.db.execute("SELECT value FROM setting WHERE key=?", (key,)).fetchone()
        return row[0] if row else None

    def set_setting(self, key: str, value: bytes | None) -> None:
        """Set it, or take it away (None)."""
        self.begin()
        if value is None:
            self.db.execute("DELETE FROM setting WHERE key=?", (key,))
        else:
            self.db.execute("INSERT OR REPLACE INTO setting VALUES(?,?)", (key, value))

    def baselines(self) -> list[str]:
        """Folders of which all was held once."""
        rows = self.db.execute("SELECT substr(key, 10) FROM setting WHERE key LIKE 'baseline %'")
        return [row[0] for row in rows]

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Folders have other numbers now; what is in none of them is set aside (-1)."""
        moved = " ".join(f"WHEN {was:d} THEN {now:d}" for was, now in numbers.items())
        number = f"CASE folder {moved} ELSE -1 END" if moved else "-1"
        self.begin()
        self.db.execute(f"UPDATE node SET folder={number} WHERE folder>=0")  # noqa: S608
        self._known.clear()
        self._keys.clear()

    # nodes

    def node(self, key: bytes) -> Node | None:
        key = self._renewed.get(key, key)
        if key in self._known:
            return self._known[key]
        row = self.db.execute(f"SELECT {NODE} FROM node WHERE key=?", (key,)).fetchone()  # noqa: S608
        node = node_of(row) if row else None
        self._remember(key, node)
        return node

    def node_by_id(self, node: int) -> Node | None:
        known = self._lately(node)
        if known is not None:
            return known
        row = self.db.execute(f"SELECT {NODE} FROM node WHERE id=?", (node,)).fetchone()  # noqa: S608
        found = node_of(row) if row else None
        if found is not None:
            self._remember(found.key, found)
        return found

    def _remember(self, key: bytes, node: Node | None) -> None:
        self._known[key] = node
        if node is not None:
            self._keys[node.id] = key
        if len(self._known) > _KNOWN_MOST:
            _, oldest = self._known.popitem(last=False)
            if oldest is not None:
                del self._keys[oldest.id]

    def _lately(self, node: int) -> Node | None:
        key = self._keys.get(node)
        return self._known[key] if key is not None else None

    def _forget(self, node: int) -> None:
        key = self._keys.pop(node, None)
        if key is not None:
            del self._known[key]

    def add_node(self, key: bytes, folder: int, facts: Facts, now_ns: int) -> int:
        """Number of the node with this key, made if there is none (a known one keeps its facts)."""
        self.begin()
        cursor = self.db.execute(
            "INSERT INTO node(key,folder,kind,size,mode,uid,gid,mtime,ctime,nlink,xattrs,target,born)"
            " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT(key) DO UPDATE SET gone=0,folder=CASE WHEN folder<0 THEN excluded.folder"
            f" ELSE folder END RETURNING {NODE}",
            (key, folder, int(facts.kind), *columns_of(facts), facts.target, now_ns),
        )
        node = node_of(cursor.fetchone())
        self._forget(node.id)
        self._remember(key, node)
        return node.id

    def set_facts(self, node: int, facts: Facts) -> None:
        """What it is now; it lives."""
        self.begin()
        self.db.execute(
            "UPDATE node SET size=?,mode=?,uid=?,gid=?,mtime=?,ctime=?,nlink=?,xattrs=?,target=?,"
            "gone=0 WHERE id=?",
            (*columns_of(facts), facts.target, node),
        )
        known = self._lately(node)
        self._forget(node)
        if known is not None and known.facts.kind is facts.kind:  # the row's kind stays
            self._remember(known.key, msgspec.structs.replace(known, facts=facts, gone_ns=0))

    def take_in(self, node: int, folder: int) -> None:
        """What was set aside belongs to a protected folder again."""
        self.begin()
        self.db.execute("UPDATE node SET folder=? WHERE id=?", (folder, node))
        self._forget(node)

    def set_gone(self, node: int, now_ns: int) -> None:
        self.begin()
        self.db.execute("UPDATE node SET gone=? WHERE id=? AND gone=0", (now_ns, node))
        self._forget(node)

    def rekey(self, node: int, key: bytes) -> None:
        """The entry lives on under a new inode (it was made again)."""
        self.begin()
        self._known.clear()
        self._keys.clear()
        old, kind = self.db.execute("SELECT key,kind FROM node WHERE id=?", (node,)).fetchone()
        if old == key:
            return
        self.db.execute("UPDATE node SET key=randomblob(24) WHERE key=? AND id<>?", (key, node))
        self.db.execute("UPDATE node SET key=?, gone=0 WHERE id=?", (key, node))
        self.db.execute("UPDATE OR REPLACE name SET parent=? WHERE parent=?", (key, old))
        self.db.execute("UPDATE was SET parent=? WHERE parent=?", (key, old))
        if kind == Kind.DIRECTORY:
            # Who remembers names below it knows the old key only, also after a kill -9.
            self.db.execute("UPDATE renewed SET key=? WHERE key=?", (key, old))
            self.db.execute("INSERT OR REPLACE INTO renewed VALUES(?,?)", (old, key))
            self._renewed = self._read_renewed()

    def _read_renewed(self) -> dict[bytes, bytes]:
        return dict(self.db.execute("SELECT old,key FROM renewed"))

    def drop_node(self, node: int) -> None:
        self.begin()
        self.db.execute("DELETE FROM name WHERE node=?", (node,))
        self.db.execute("DELETE FROM was WHERE node=?", (node,))
        # A name in a directory that nobody can make again would fail the whole file's roll-back.
        self.db.execute(
            "DELETE FROM name WHERE parent=(SELECT key FROM node WHERE id=?) AND EXISTS"
            " (SELECT 1 FROM name o WHERE o.node=name.node AND o.parent<>name.parent)",
            (node,),
        )
        self.db.execute("DELETE FROM node WHERE id=?", (node,))
        self._forget(node)

    def living(self, folder: int) -> Iterator[tuple[int, bytes, int, int, int]]:
        """(id, key, kind, size, ctime) of every living node of a folder."""
        yield from self.db.execute(
            "SELECT id,key,kind,size,ctime FROM node WHERE folder=? AND gone=0", (folder,)
        )

    def counts(self, folder: int) -> tuple[int, int]:
        """Living files and their bytes."""
        row = self.db.execute(
            "SELECT count(*), coalesce(sum(size),0) FROM node WHERE folder=? AND gone=0 AND kind=1",
            (folder,),
        ).fetchone()
        return int(row[0]), int(row[1])

    # names

    def names(self, node: int) -> list[Name]:
        rows = self.db.execute("SELECT parent,name FROM name WHERE node=?", (node,))
        return [Name(*row) for row in rows]

    def past_names(self, node: int) -> list[tuple[Name, int]]:
        """Names it once had and until when, newest first."""
        rows = self.db.execute(
            "SELECT parent,name,until FROM was WHERE node=? ORDER BY until DESC, rowid DESC",
            (node,),
        )
        return [(Name(row[0], row[1]), row[2]) for row in rows]

    def with_several_names(self, folder: int) -> list[int]:
        rows = self.db.execute(
            "SELECT n.id FROM (SELECT node FROM name GROUP BY node HAVING count(*)>1) m"
            " JOIN node n ON n.id=m.node WHERE n.folder=? AND n.gone=0 AND n.kind<>2",
            (folder,),
        )
        return [int(row[0]) for row in rows]

    def at_name(self, name: Name) -> int | None:
        row = self.db.execute(
            "SELECT node FROM name WHERE parent=? AND name=?", (name.directory, name.name)
        ).fetchone()
        return int(row[0]) if row else None

    def add_name(self, node: int, name: Name, now_ns: int = 0) -> None:
        """It has this name from now on; its first name is counted from the beginning (0)."""
        self.begin()
        self.db.execute(
            "INSERT OR REPLACE INTO name VALUES(:d,:n,:i,CASE WHEN EXISTS(SELECT 1 FROM name WHERE"
            " node=:i) OR EXISTS(SELECT 1 FROM was WHERE node=:i) THEN :t ELSE 0 END)",
            {"d": name.directory, "n": name.name, "i": node, "t": now_ns},
        )

    def return_name(self, node: int, name: Name) -> None:
        """A roll-back gave it back: as if it had never been lost."""
        self.begin()
        self.db.execute(
            "DELETE FROM was WHERE node=? AND parent=? AND name=?",
            (node, name.directory, name.name),
        )
        self.db.execute(
            "INSERT OR REPLACE INTO name VALUES(?,?,?,0)", (name.directory, name.name, node)
        )

    def undo_name(self, node: int, name: Name) -> None:
        """A roll-back took away what an attacker had given: as if it had never been."""
        self.begin()
        self.db.execute(
            "DELETE FROM name WHERE parent=? AND name=? AND node=?",
            (name.directory, name.name, node),
        )

    def drop_name(self, node: int, name: Name, now_ns: int) -> None:
        self.begin()
        gone = self.db.execute(
            "DELETE FROM name WHERE parent=? AND name=? AND node=? RETURNING since",
            (name.directory, name.name, node),
        ).fetchone()
        if gone:
            self.db.execute(
                "INSERT INTO was VALUES(?,?,?,?,?)",
                (node, name.directory, name.name, now_ns, gone[0]),
            )

    def names_since(self, node: int, since_ns: int) -> tuple[list[Name], list[Name]]:
        """What changed in its names: those of before that it lost, and those it got."""
        rows = self.db.execute(
            "SELECT DISTINCT parent,name FROM was WHERE node=? AND until>=? AND since<?",
            (node, since_ns, since_ns),
        )
        had = [Name(*row) for row in rows]
        rows = self.db.execute("SELECT parent,name,since FROM name WHERE node=?", (node,))
        now = [(Name(parent, name), since) for parent, name, since in rows]
        lost = [name for name in had if name not in dict(now)]
        return lost, [name for name, since in now if since >= since_ns and name not in had]

    def children(self, directory: bytes) -> list[tuple[bytes, int]]:
        return self.db.execute("SELECT name,node FROM name WHERE parent=?", (directory,)).fetchall()

    def entries(self, directory: bytes) -> list[tuple[bytes, bytes, int, int, int, int]]:
        """(name, key, kind, size, mtime, ctime) of all that is known to stand in a directory."""
        return self.db.execute(
            "SELECT name.name,key,kind,size,mtime,ctime FROM name JOIN node ON node.id=name.node"
            " WHERE parent=?",
            (directory,),
        ).fetchall()

    # generations

    def add_generation(self, generation: Generation) -> int:
        self.begin()
        g, f = generation, generation.facts
        cursor = self.db.execute(
            "INSERT INTO generation(node,pack,offset,taken,writer,judged,settled,size,mode,uid,gid,"
            "mtime,ctime,nlink,xattrs) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                g.node, g.pack, g.offset, g.taken_ns, g.writer, int(g.judged), int(g.settled),
                *columns_of(f),
            ),
        )  # fmt: skip
        return int(cursor.lastrowid or 0)

    def generations(self, node: int) -> list[Generation]:
        """Oldest first."""
        rows = self.db.execute(
            f"SELECT {GENERATION} FROM generation WHERE node=? ORDER BY id",  # noqa: S608
            (node,),
        )
        return [generation_of(row) for row in rows]

    def last_generation(self, node: int) -> Generation | None:
        row = self.db.execute(
            f"SELECT {GENERATION} FROM generation WHERE node=? ORDER BY id DESC LIMIT 1",  # noqa: S608
            (node,),
        ).fetchone()
        return generation_of(row) if row else None

    def generation(self, generation: int) -> Generation | None:
        row = self.db.execute(
            f"SELECT {GENERATION} FROM generation WHERE id=?",  # noqa: S608
            (generation,),
        ).fetchone()
        return generation_of(row) if row else None

    def settle(self, generation: int) -> None:
        """Nobody has the file open any more and it is still what was held."""
        self.begin()
        self.db.execute("UPDATE generation SET settled=1 WHERE id=?", (generation,))

    def adopt(self, generation: int, facts: Facts) -> None:
        """The file was given back as this generation: it is held as it is now."""
        self.begin()
        self.db.execute(
            "UPDATE generation SET ctime=?, judged=1 WHERE id=?", (facts.ctime_ns, generation)
        )

    def judge(self, generation: int, judged: Judged) -> None:
        self.begin()
        self.db.execute("UPDATE generation SET judged=? WHERE id=?", (int(judged), generation))

    def drop_generation(self, generation: int) -> None:
        self.begin()
        self.db.execute("DELETE FROM generation WHERE id=?", (generation,))

    def held_bytes(self) -> int:
        row = self.db.execute("SELECT coalesce(sum(size),0) FROM generation").fetchone()
        return int(row[0])

    def gone_count(self) -> tuple[int, int]:
        """Deleted files that are still held, and the bytes of their versions."""
        row = self.db.execute(
            "SELECT count(DISTINCT node.id), coalesce(sum(generation.size),0) FROM node"
            " JOIN generation ON generation.node=node.id WHERE node.gone>0"
        ).fetchone()
        return int(row[0]), int(row[1])

    def gone_before(self, limit_ns: int) -> list[int]:
        rows = self.db.execute("SELECT id FROM node WHERE gone>0 AND gone<?", (limit_ns,))
        return [int(row[0]) for row in rows]

    # convictions

    def put_conviction(self, family: str, at_ns: int, state: str, body: bytes) -> None:
        self.begin()
        self.db.execute(
            "INSERT OR REPLACE INTO conviction VALUES(?,?,?,?)", (family, at_ns, state, body)
        )

    def drop_conviction(self, family: str) -> None:
        self.begin()
        self.db.execute("DELETE FROM conviction WHERE family=?", (family,))

    # what was noted last

    def last_ns(self) -> int:
        """When something was last noted of any file."""
        row = self.db.execute(
            "SELECT max((SELECT coalesce(max(taken),0) FROM generation),"
            " (SELECT coalesce(max(until),0) FROM was), (SELECT coalesce(max(gone),0) FROM node))"
        ).fetchone()
        return int(row[0])

    def noted_since(self, folder: int, since_ns: int) -> list[int]:
        """Nodes of a folder that were held, lost or got a name, went or came since then."""
        rows = self.db.execute(
            "SELECT id FROM node WHERE folder=:f AND (gone>=:s OR born>=:s OR"
            " id IN (SELECT node FROM generation WHERE taken>=:s AND writer<>'') OR"
            " id IN (SELECT node FROM was WHERE until>=:s) OR"
            " id IN (SELECT node FROM name WHERE since>=:s))",
            {"f": folder, "s": since_ns},
        )
        return [int(row[0]) for row in rows]

    def writers_in_doubt(self, since_ns: int) -> set[str]:
        """Who since then left a version that is not known to be sound."""
        rows = self.db.execute(
            "SELECT DISTINCT writer FROM generation WHERE taken>=? AND judged<>1", (since_ns,)
        )
        return {str(row[0]) for row in rows}

    def open_convictions(self) -> list[tuple[str, int, str, bytes]]:
        return self.db.execute(
            "SELECT family,at,state,body FROM conviction WHERE state<>'done' ORDER BY at"
        ).fetchall()
