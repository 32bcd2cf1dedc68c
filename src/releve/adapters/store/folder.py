"""A folder as of a time, put together from held versions in a folder of its own, every file compared."""

import contextlib
import hashlib
import os
import stat as stat_
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

from releve.adapters.store.facts import set_facts
from releve.adapters.store.history import Held, History, Key
from releve.adapters.store.objects import Objects, give_back
from releve.flow.backup import Tell, VerificationFailedError
from releve.model.backup import Entry, Progress
from releve.model.held import Facts, Generation, Kind
from releve.recover.as_of import before_the_end, quiet_moments

_KINDS = {Kind.FILE: "file", Kind.DIRECTORY: "folder", Kind.LINK: "link"}
_TELL_SECONDS = 0.2


def folder_moments(history: History, path: str, as_of_ns: int | None) -> list[tuple[bytes, int]]:
    """(key, ns) of the states of a folder that are worth offering, oldest first.

    Only from its first whole baseline on: before, nobody knows what else stood there. Of a folder
    that is gone the last one is from just before it was emptied.
    """
    since, last = history.since(path), history.folder_ever(path)
    if not since or last is None:
        return []
    changes = history.changes(last)
    moments = {ns for ns in quiet_moments((*changes.gains, *changes.losses)) if ns > since}
    if not history.stands(path):
        end = before_the_end(changes.gains, changes.losses)
        moments = {ns for ns in moments if ns < end} | ({end} if end > since else set())
    moments |= {since} | ({as_of_ns} if as_of_ns is not None and as_of_ns >= since else set())
    found = ((history.folder(path, ns), ns) for ns in sorted(moments))
    return [(key, ns) for key, ns in found if key is not None]


class HeldFolder:
    """One directory of a store at one time.

    Args:
        store: the guard's store.
        key: the directory, whatever path it has today.
        at_ns: the time.
        name: what it is called when it is fetched.
        keys: see History.
    """

    def __init__(self, store: str, key: bytes, at_ns: int, name: str, keys: Sequence[Key]) -> None:
        self._store, self._key, self._at_ns = store, key, at_ns
        self._name, self._keys = name, keys

    def entries(self) -> list[Entry]:
        """What stood there, as of that time."""
        return [_entry(held) for held in self._held()]

    def fetch(self, into: Path, tell: Tell) -> Path:
        """Bring all of it under `into`, metadata included; each file is read back and compared.

        Raises: VerificationFailedError.
        """
        held = list(self._held())
        files = [h for h in held if h.generation is not None]
        total = sum(h.generation.facts.size for h in files if h.generation) or 1
        top, objects = into / (self._name or "racine"), Objects(self._store)
        made: dict[int, Path] = {}
        done = size = 0
        told = monotonic()
        try:
            for one in held:
                self._make(one, top.joinpath(*one.parts), made, objects)
                if one.generation is not None:
                    done, size = done + 1, size + one.generation.facts.size
                    if monotonic() - told > _TELL_SECONDS or done == len(files):
                        told = monotonic()
                        share = round(100 * size / total, 1) if done < len(files) else 100.0
                        tell(Progress(phase="restore", files=done, bytes=size, percent=share))
        finally:
            objects.close()
        # Last and from below: what is put into a directory changes its time.
        for one in reversed(held):
            if one.node.facts.kind is Kind.DIRECTORY:
                _finish_directory(top.joinpath(*one.parts), one.node.facts)
        return top

    def _held(self) -> Iterator[Held]:
        with contextlib.closing(History(self._store, self._keys)) as history:
            yield from history.below(self._key, self._at_ns)

    def _make(self, one: Held, place: Path, made: dict[int, Path], objects: Objects) -> None:
        facts = one.node.facts
        try:
            if facts.kind is Kind.DIRECTORY:
                place.mkdir(mode=0o700)
            elif facts.kind is Kind.LINK:
                _make_link(place, facts)
            elif one.node.id in made:
                place.hardlink_to(made[one.node.id])
            elif one.generation is not None:
                give_verified(objects, one.generation, place)
                made[one.node.id] = place
        except OSError as error:
            raise VerificationFailedError(str(place), error.strerror or "unreadable") from error


def give_verified(objects: Objects, generation: Generation, place: Path) -> None:
    """Clone or copy a held version to a new file, read both, compare, set its metadata.

    Raises: VerificationFailedError, OSError.
    """
    held = objects.open(generation.id, generation.facts.size, generation.pack, generation.offset)
    try:
        with place.open("xb+") as file:
            base = generation.offset if generation.pack else 0
            give_back(held, file.fileno(), base=base)
            kept = hashlib.sha256()
            for offset in range(0, held.size, 1 << 20):
                kept.update(held.read(offset, 1 << 20))
            file.seek(0)
            if hashlib.file_digest(file, "sha256").digest() != kept.digest():
                raise VerificationFailedError(str(place), "the copy differs from what is held")
            set_facts(file.fileno(), generation.facts)
    finally:
        held.close()


def _make_link(place: Path, facts: Facts) -> None:
    place.symlink_to(os.fsdecode(facts.target))
    with contextlib.suppress(PermissionError):  # not root: it is ours
        os.chown(place, facts.uid, facts.gid, follow_symlinks=False)
    os.utime(place, ns=(facts.mtime_ns, facts.mtime_ns), follow_symlinks=False)


def _finish_directory(place: Path, facts: Facts) -> None:
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        set_facts(fd, facts)
    finally:
        os.close(fd)


def _entry(held: Held) -> Entry:
    facts = held.generation.facts if held.generation else held.node.facts
    kind = _KINDS.get(facts.kind, "other")
    type_ = {"file": stat_.S_IFREG, "folder": stat_.S_IFDIR, "link": stat_.S_IFLNK}.get(kind, 0)
    return Entry(
        path="/".join(held.parts), kind=kind, size=facts.size, mode=type_ | facts.mode,
        uid=facts.uid, gid=facts.gid, mtime_ns=facts.mtime_ns,
        held=kind != "file" or held.generation is not None,
    )  # fmt: skip
