"""At the start, before the store runs: what lies on the disk without a receipt gets one, and is said.

The store keeps an object before the gate writes its receipt; a crash between the two leaves the
object alone. Its client was told nothing and sends it again, or never comes back: either way it is
received now.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from releve.adapters.vault import seal
from releve.adapters.vault.layout import Layout, object_in
from releve.adapters.vault.receiving import file_sha256
from releve.flow.vault.book import Book
from releve.flow.vault.names import is_generation, is_object, is_word
from releve.model.vault import AnyEntry, ObjectKind, Receipt, Repository

_KEPT = (ObjectKind.DATA, ObjectKind.INDEX, ObjectKind.SNAPSHOTS, ObjectKind.KEYS)
_BATCH = 500


class Healed(msgspec.Struct, frozen=True, kw_only=True):
    """What the start found."""

    receipted: int  # objects that had no receipt
    torn: int  # half uploads, removed: nobody was told that they are kept
    strange: tuple[str, ...]  # files that no upload leaves; nothing is done to them
    missing: tuple[str, ...]  # received objects that are not there


class _Tally:
    """What was seen so far, and the receipts that wait to be written."""

    def __init__(self, layout: Layout, book: Book) -> None:
        self._layout, self._book = layout, book
        self.waiting: list[AnyEntry] = []
        self.receipted = self.torn = 0
        self.strange: list[str] = []
        self.missing: list[str] = []

    def look(self, repository: Repository, kind: ObjectKind, path: Path) -> None:
        name = path.name
        if kind is not ObjectKind.CONFIG and not is_object(name):
            if _is_torn(name):
                with seal.opened(path.parent):
                    path.unlink()
                self.torn += 1
            else:
                self._strange(path)
            return
        if self._book.held(repository, kind, name) is not None:
            return
        found = _found(repository, kind, path)
        if found is None:
            self._strange(path)
        else:
            self.waiting.append(found)
            self.receipted += 1

    def _strange(self, path: Path) -> None:
        self.strange.append(str(path.relative_to(self._layout.repos)))


def heal(layout: Layout, book: Book, add: Callable[[Sequence[AnyEntry]], object]) -> Healed:
    """Compare disk and book; only listings are read, but for what has no receipt."""
    tally = _Tally(layout, book)
    standing = repositories(layout)
    for repository in standing:
        layout.serve(repository)
        seen = set[tuple[ObjectKind, str]]()
        for kind, path in files(layout.repository(repository)):
            seen.add((kind, path.name))
            tally.look(repository, kind, path)
            if len(tally.waiting) >= _BATCH:
                add(tally.waiting)
                tally.waiting = []
        gone = ((k, n) for k, n, _ in book.names(repository) if (k, n) not in seen)
        tally.missing += [f"{repository}/{kind}/{name}" for kind, name in gone]
    if tally.waiting:
        add(tally.waiting)
    tally.missing += [str(r) for r in book.repositories() if r not in set(standing)]
    return Healed(
        receipted=tally.receipted,
        torn=tally.torn,
        strange=tuple(tally.strange),
        missing=tuple(sorted(tally.missing)),
    )


def repositories(layout: Layout) -> list[Repository]:
    """Those on the disk."""
    found = []
    for path in layout.repos.glob("*/*/*"):
        structure, host, generation = path.relative_to(layout.repos).parts
        if is_word(structure) and is_word(host) and is_generation(generation):
            found.append(Repository(structure=structure, host=host, generation=generation))
    return sorted(found)


def files(folder: Path) -> Iterator[tuple[ObjectKind, Path]]:
    """All files of a repository that a backup needs, with their kind."""
    config = object_in(folder, ObjectKind.CONFIG, "config")
    if config.is_file():
        yield ObjectKind.CONFIG, config
    for kind in _KEPT:
        for path in (folder / kind).glob("*/*" if kind is ObjectKind.DATA else "*"):
            if path.is_file():
                yield kind, path


def _found(repository: Repository, kind: ObjectKind, path: Path) -> Receipt | None:
    """The receipt of an object that has none; None when its content is not what its name says."""
    digest = file_sha256(path)
    if kind is not ObjectKind.CONFIG and digest != path.name:
        return None
    return Receipt(
        repository=repository,
        kind=kind,
        name=path.name,
        size=path.stat().st_size,
        sha256=digest,
        found=True,
    )


def _is_torn(name: str) -> bool:
    """What rest-server writes to before an object has its name."""
    return ".rest-server-temp" in name or (len(name) > 64 and is_object(name[:64]))
