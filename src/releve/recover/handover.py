"""What became of each file between the clean point and the ordinary folder at the end.

A file counts as verified by its content only. One that differs is people's work if its time or
size says that somebody wrote it; if nothing says so, it is doubtful, and the recovery is not done.
"""

from collections.abc import Mapping

import msgspec


class Wanted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file of the snapshot."""

    size: int
    mtime_us: int
    inode: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file of the folder."""

    size: int
    mtime_ns: int


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement; paths are relative. `to_compare` are (original, now) that must be read."""

    wanted: Mapping[str, Wanted]
    found: Mapping[str, Found]
    verified: frozenset[str] = frozenset()
    databases: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    renamed: frozenset[tuple[str, str]] = frozenset()
    deleted: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()
    to_compare: frozenset[tuple[str, str]] = frozenset()
    laid: frozenset[str] = frozenset()  # equal to the other snapshot's version that was laid over
    withheld: frozenset[str] = frozenset()  # not given back, and nobody made one of that name
    second_names: int = 0

    @property
    def count(self) -> int:
        """Files that are in the folder now."""
        return len(self.found)

    def with_databases(
        self,
        copies: Mapping[str, int],
        equal: frozenset[str],
        moved: frozenset[tuple[str, str]] = frozenset(),
    ) -> "Fate":
        """Judge databases by their consistent copies (path: its time of change).

        `moved`: (before, now) of those that were found, equal, under a new name.
        """
        there = {path for path in copies if path in self.found}
        written = {
            path
            for path in there - equal
            if self.found[path].mtime_ns // 1000 != copies[path] // 1000
        }
        return msgspec.structs.replace(
            self,
            databases=equal & there,
            verified=self.verified - there,
            changed=(self.changed - there) | written,
            doubtful=(self.doubtful - there) | (there - equal - written),
            renamed=self.renamed | moved,
            new=self.new - {now for _, now in moved},
            deleted=self.deleted - {before for before, _ in moved},
            to_compare=frozenset(
                p for p in self.to_compare if p[1] not in there and p[1] not in dict(moved).values()
            ),
        )

    def with_laid(
        self,
        times: Mapping[str, int],
        equal: frozenset[str],
        moved: frozenset[tuple[str, str]],
        hidden: frozenset[str],
    ) -> "Fate":
        """Judge what was laid from other snapshots (path: its time of change), and what was not shown.

        `moved`: (before, now) of those that were found, equal, under a new name.
        """
        there = {path for path in times if path in self.found}
        written = {
            path
            for path in there - equal
            if self.found[path].mtime_ns // 1000 != times[path] // 1000
        }
        names, gone = dict(moved), {path for path in times if path not in self.found}
        return msgspec.structs.replace(
            self,
            laid=equal & there,
            withheld=frozenset(path for path in hidden if path not in self.found),
            verified=self.verified - there,
            changed=(self.changed - there) | written,
            doubtful=(self.doubtful - there) | (there - equal - written),
            new=self.new - there - set(names.values()),
            renamed=self.renamed | moved,
            deleted=(self.deleted | gone) - hidden - set(names),
            to_compare=frozenset(
                pair
                for pair in self.to_compare
                if pair[1] not in there and pair[1] not in names.values() and pair[0] not in hidden
            ),
        )

    def compared(self, equal: frozenset[tuple[str, str]]) -> "Fate":
        """Take in which pairs of `to_compare` hold the same bytes."""
        verified, renamed = set(self.verified), set(self.renamed)
        new, deleted = set(self.new), set(self.deleted)
        changed, doubtful = set(self.changed), set(self.doubtful)
        for before, now in self.to_compare:
            if (before, now) in equal:
                if before == now:
                    verified.add(now)
                else:
                    renamed.add((before, now))
                    new.discard(now)
                    deleted.discard(before)
            elif before == now:
                looks_written = not _is_as_it_was(self.wanted[before], self.found[now])
                (changed if looks_written else doubtful).add(now)
        return msgspec.structs.replace(
            self,
            verified=frozenset(verified),
            renamed=frozenset(renamed),
            new=frozenset(new),
            deleted=frozenset(deleted),
            changed=frozenset(changed),
            doubtful=frozenset(doubtful),
            to_compare=frozenset(),
        )

    def replaced(self) -> "Fate":
        """The doubtful ones were replaced by verified versions."""
        verified = self.verified | self.doubtful
        return msgspec.structs.replace(self, verified=verified, doubtful=frozenset())


def judge(
    wanted: Mapping[str, Wanted], found: Mapping[str, Found], actions: Mapping[str, str]
) -> Fate:
    """Judge by what the engine's comparison says of each path ("unchanged": equal by its hashes)."""
    verified = frozenset(p for p in found if p in wanted and actions.get(p) == "unchanged")
    there = frozenset(p for p in found if p in wanted) - verified
    # "updated" was read and differs; anything else was not read (a second name): to be compared.
    differs = frozenset(p for p in there if actions.get(p) == "updated")
    changed = frozenset(p for p in differs if not _is_as_it_was(wanted[p], found[p]))
    new = frozenset(found) - frozenset(wanted)
    deleted = frozenset(wanted) - frozenset(found)
    pairs = {(path, path) for path in there - differs}
    return Fate(
        wanted=wanted,
        found=found,
        verified=verified,
        changed=changed,
        doubtful=differs - changed,
        new=new,
        deleted=deleted,
        to_compare=frozenset(pairs | _renames(wanted, found, new, deleted)),
        second_names=_second_names(wanted),
    )


def _renames(
    wanted: Mapping[str, Wanted],
    found: Mapping[str, Found],
    new: frozenset[str],
    deleted: frozenset[str],
) -> set[tuple[str, str]]:
    """A file that appeared with the size, time and, if need be, name of one that went."""
    gone: dict[tuple[int, int], list[str]] = {}
    for path in sorted(deleted):
        gone.setdefault((wanted[path].size, wanted[path].mtime_us), []).append(path)
    pairs = set()
    for path in sorted(new):
        known = found[path]
        fitting = gone.get((known.size, known.mtime_ns // 1000), [])
        if fitting:
            name = path.rpartition("/")[2]
            alike = next((p for p in fitting if p.rpartition("/")[2] == name), fitting[0])
            fitting.remove(alike)
            pairs.add((alike, path))
    return pairs


def _is_as_it_was(wanted: Wanted, found: Found) -> bool:
    return wanted.size == found.size and wanted.mtime_us == found.mtime_ns // 1000


def _second_names(wanted: Mapping[str, Wanted]) -> int:
    inodes = [file.inode for file in wanted.values() if file.inode]
    return len(inodes) - len(set(inodes))
