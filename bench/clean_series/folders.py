"""Snapshots that are plain copies of folders: what restic would say of them, without restic."""

import contextlib
import datetime as dt
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic

import msgspec

from releve.adapters.restic.databases import FOLDER, MANIFEST, SqliteDatabases
from releve.adapters.scan.past import count_rows
from releve.detect.ransom.formats import Blob
from releve.flow.scan_ports import Differing, Opened, Planned
from releve.model.backup import DatabaseCopy, Manifest, Snapshot
from releve.model.clean import How, TableRows
from releve.model.sources import DumpMade


class FolderPast:
    """Past: each snapshot is a copy under its own folder, with whole paths."""

    repository = "folders"

    def __init__(self, root: Path, chain: Sequence[Snapshot]) -> None:
        self._root, self._chain = root, chain

    def snapshots(self) -> Sequence[Snapshot]:
        return self._chain

    def differences(self, older: Snapshot | None, newer: Snapshot) -> Iterator[Differing]:
        now, was = self._digests(newer), self._digests(older) if older else {}
        for path, digest in now.items():
            if path not in was:
                yield Differing(path=path, how=How.ADDED)
            elif was[path] != digest:
                yield Differing(path=path, how=How.CHANGED)
        yield from (Differing(path=path, how=How.REMOVED) for path in was if path not in now)

    def copies(self, snapshot: Snapshot) -> Sequence[DatabaseCopy]:
        folder = next(f for f in snapshot.folders if f.endswith(FOLDER))
        content = Path(f"{self._root}/{snapshot.id}{folder}/{MANIFEST}").read_bytes()
        return msgspec.json.decode(content, type=Manifest).databases

    def dumps(self, snapshot: Snapshot) -> Sequence[DumpMade]:
        del snapshot
        return ()

    def batches(self, newer: Snapshot, wanted: Sequence[Planned]) -> Iterator[Sequence[Planned]]:
        del newer
        if wanted:
            yield wanted

    @contextlib.contextmanager
    def opened(
        self, newer: Snapshot, older: Snapshot | None, wanted: Sequence[Planned]
    ) -> Iterator[Mapping[str, Opened]]:
        yield _Contents(self._root, newer, older, wanted)

    def rows(self, snapshot: Snapshot, copy: DatabaseCopy, seconds: float) -> TableRows | None:
        return count_rows(f"{self._root}/{snapshot.id}{copy.copy}", monotonic() + seconds)

    def _digests(self, snapshot: Snapshot) -> dict[str, bytes]:
        root = self._root / snapshot.id
        found = {}
        for folder in snapshot.folders:
            for path in Path(f"{root}{folder}").rglob("*"):
                if path.is_file() and not path.is_symlink():
                    found[str(path)[len(str(root)) :]] = hashlib.sha256(path.read_bytes()).digest()
        return found


class _Contents(Mapping[str, Opened]):
    def __init__(
        self, root: Path, newer: Snapshot, older: Snapshot | None, wanted: Sequence[Planned]
    ) -> None:
        self._now, self._was = f"{root}/{newer.id}", f"{root}/{older.id}" if older else ""
        self._wanted = {one.path: one.how for one in wanted}

    def __getitem__(self, path: str) -> Opened:
        before = None
        if self._was and self._wanted[path] is How.CHANGED:
            before = Blob(Path(self._was + path).read_bytes())
        return Opened(after=Blob(Path(self._now + path).read_bytes()), before=before)

    def __iter__(self) -> Iterator[str]:
        return iter(self._wanted)

    def __len__(self) -> int:
        return len(self._wanted)


class FolderVault:
    """Takes snapshots by copying."""

    def __init__(self, work: Path, share: Path) -> None:
        self._root, self._share = work / "vault", share
        self._databases = SqliteDatabases(str(work / "state"))
        self._count = 0

    def snap(self) -> Snapshot:
        self._databases.stage([str(self._share)], (), lambda _: None)
        folders = (str(self._share), self._databases.folder)
        at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC) + dt.timedelta(hours=self._count)
        self._count += 1
        made = Snapshot(id=f"{self._count:064x}", at=at, host="series", folders=folders)
        for folder in folders:
            into = Path(f"{self._root}/{made.id}{folder}")
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(folder, into, symlinks=True)
        return made

    def past(self, chain: Sequence[Snapshot]) -> FolderPast:
        return FolderPast(self._root, chain)

    def drop(self, snapshots: Sequence[Snapshot]) -> None:
        for one in snapshots:
            shutil.rmtree(self._root / one.id, ignore_errors=True)


def put_back(kept: Path, share: Path) -> None:
    """The share as it was kept, times included: what did not change looks so to a backup."""
    shutil.rmtree(share)
    shutil.copytree(kept, share, symlinks=True)
