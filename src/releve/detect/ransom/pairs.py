"""Which new file stands for which original that is gone: `x.docx.gpg` for `x.docx`.

Encryptors that write a new file and delete the old one are told from honest deletion by this.
Programs may share the work (gpg writes, rm deletes): a common ancestor is enough.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import msgspec

_SAME_NAME = 256  # files of one name remembered: "index" has thousands
_TINY = 256  # lock files and the like: their size says nothing


class Fresh(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A new file. `opaque`: nothing readable in it (ciphertext, encrypted archive).

    `changed_ns` is its ctime when it was looked at.
    """

    file: bytes
    name: bytes
    size: int
    opaque: bool
    lineage: tuple[str, ...]
    at_s: float
    changed_ns: int = 0


class Gone(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An original that is gone since `at_s`."""

    file: bytes
    name: bytes
    size: int
    lineage: tuple[str, ...]
    at_s: float


def common(left: Sequence[str], right: Sequence[str]) -> tuple[str, ...]:
    """The part of `right` from the lowest ancestor that both share; empty if none."""
    known = set(left)
    for at, process in enumerate(right):
        if process in known:
            return tuple(right[at:])
    return ()


def _aliases(name: bytes) -> tuple[bytes, ...]:
    """The names of originals that a new file of this name may stand for."""
    stem = name.rpartition(b".")[0]
    shorter = stem.rpartition(b".")[0]
    return tuple(dict.fromkeys(part for part in (name, stem, shorter) if part))


class Pairs:
    """Remembers the last new files and the last deletions; bounded, oldest forgotten first.

    Args:
        memory: how many of each; of new files that can be read, a tenth.
        before_s: a deletion so long before the new file has nothing to do with it. (The other way
            round there is no limit: whoever encrypts first may delete much later.)
        stranger_s: so long after the new file a family that nothing joins to its maker may delete.
    """

    def __init__(self, memory: int, before_s: float, stranger_s: float) -> None:
        self._memory, self._before_s, self._stranger_s = memory, before_s, stranger_s
        self._fresh: OrderedDict[bytes, Fresh] = OrderedDict()
        self._readable: OrderedDict[bytes, None] = OrderedDict()
        self._fresh_by: dict[bytes, tuple[bytes, ...]] = {}
        self._gone: OrderedDict[bytes, Gone] = OrderedDict()
        self._gone_by: dict[bytes, tuple[bytes, ...]] = {}
        self._used: set[bytes] = set()
        self._missed_s = -math.inf  # when the last went that nothing stood for

    def add_fresh(self, fresh: Fresh, *, match: bool = True) -> Gone | None:
        """A new file was closed; answers the deleted original that it stands for, if any.

        Args:
            match: False for a file that is still being written: it is only remembered.
        """
        self.forget(fresh.file)
        self._fresh[fresh.file] = fresh
        _enter(self._fresh_by, _aliases(fresh.name), fresh.file)
        if not fresh.opaque:
            self._readable[fresh.file] = None
            if len(self._readable) > self._memory // 10:
                self.forget(next(iter(self._readable)))
        if len(self._fresh) > self._memory:
            self.forget(next(iter(self._fresh)))
        found = self._match_gone(fresh) if match else None
        if found is not None:
            self._forget_gone(found.file)
            self._used.add(fresh.file)
        return found

    def look_again(self, fresh: Fresh) -> None:
        """The same new file, whole now."""
        if fresh.file in self._fresh:
            self._fresh[fresh.file] = fresh

    def add_gone(self, gone: Gone) -> Fresh | None:
        """An original went; answers the new file that stands for it, if it is there already."""
        found = self._match_fresh(gone)
        if found is not None:
            self._used.add(found.file)
            return found
        self._missed_s = gone.at_s
        self._gone[gone.file] = gone
        _enter(self._gone_by, _aliases(gone.name)[:2], gone.file)
        if len(self._gone) > self._memory:
            self._forget_gone(next(iter(self._gone)))
        return None

    def awaits(self, at_s: float) -> bool:
        """Whether an original went not long ago that nothing stood for; may be asked by any thread."""
        return at_s - self._missed_s <= self._before_s

    def archive(self, gone: Gone) -> Fresh | None:
        """A recent opaque file of the same family, larger than the original, that may hold it."""
        for fresh in self._recent(16):
            if fresh.opaque and fresh.size > 0.3 * gone.size and fresh.size > 1 << 15:
                if common(fresh.lineage, gone.lineage):
                    return fresh
        return None

    def _match_fresh(self, gone: Gone) -> Fresh | None:
        stem = gone.name.rpartition(b".")[0]
        for alias in (gone.name, stem):
            for file in self._fresh_by.get(alias, ()) if alias else ():
                fresh = self._fresh[file]
                if fresh.file != gone.file and common(fresh.lineage, gone.lineage):
                    return fresh
        for fresh in self._recent(32):
            if fresh.opaque and fresh.file not in self._used and _like(fresh.size, gone.size):
                if common(fresh.lineage, gone.lineage):
                    return fresh
        return self._match_stranger(gone)

    def _match_stranger(self, gone: Gone) -> Fresh | None:
        """Of a family that nothing joins (one command per job or login): by the whole name only."""
        for file in self._fresh_by.get(gone.name, ()):
            fresh = self._fresh[file]
            is_his = fresh.name.startswith(gone.name + b".")
            if is_his and fresh.opaque and gone.at_s - fresh.at_s <= self._stranger_s:
                return fresh
        return None

    def _match_gone(self, fresh: Fresh) -> Gone | None:
        for alias in _aliases(fresh.name):
            for file in self._gone_by.get(alias, ()):
                gone = self._gone[file]
                if gone.file == fresh.file or fresh.at_s - gone.at_s > self._before_s:
                    continue
                if common(fresh.lineage, gone.lineage):
                    return gone
        return None

    def _recent(self, count: int) -> Iterator[Fresh]:
        for file in reversed(self._fresh):
            if count == 0:
                return
            count -= 1
            yield self._fresh[file]

    def forget(self, file: bytes) -> Fresh | None:
        """The new file is gone or was judged otherwise."""
        fresh = self._fresh.pop(file, None)
        if fresh is not None:
            self._used.discard(file)
            self._readable.pop(file, None)
            _drop(self._fresh_by, _aliases(fresh.name), file)
        return fresh

    def fresh(self, file: bytes) -> Fresh | None:
        return self._fresh.get(file)

    def _forget_gone(self, file: bytes) -> None:
        gone = self._gone.pop(file, None)
        if gone is not None:
            _drop(self._gone_by, _aliases(gone.name)[:2], file)


def _like(new: int, old: int) -> bool:
    """Ciphertext is as long as the text plus a header, or a third longer (base64)."""
    return old >= _TINY and old <= new <= old * 1.45 + 2048


def _enter(table: dict[bytes, tuple[bytes, ...]], aliases: Sequence[bytes], file: bytes) -> None:
    for alias in aliases:  # tuples: nearly always of one, and a fifth of a set's size
        files = table.get(alias, ())
        if file not in files:
            table[alias] = (*files[1 - _SAME_NAME :], file)


def _drop(table: dict[bytes, tuple[bytes, ...]], aliases: Sequence[bytes], file: bytes) -> None:
    for alias in aliases:
        files = tuple(one for one in table.get(alias, ()) if one != file)
        if files:
            table[alias] = files
        else:
            table.pop(alias, None)
