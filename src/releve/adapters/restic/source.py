"""Old versions of files from the snapshots of this machine."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

import msgspec

from releve.adapters.restic.databases import ENDINGS, FOLDER, MANIFEST, SIDE_FILES
from releve.adapters.restic.engine import Restic
from releve.adapters.restic.said import Found
from releve.flow.backup import EngineFailedError, Tell, VerificationFailedError
from releve.model.backup import DatabaseCopy, Manifest, Snapshot, Version


class SnapshotSource:
    """Source: the snapshots that an engine keeps."""

    name = "snapshots"

    def __init__(self, engine: Restic, tell: Tell = lambda _: None) -> None:
        self._engine, self._tell = engine, tell
        self._snapshots: list[Snapshot] = []  # as last asked: fetching needs no second answer

    def versions(self, path: str) -> Sequence[Version]:
        """One version per content of a file; for a folder one per snapshot.

        A version counts from the oldest snapshot that has it: so it fits every later time, too.
        """
        self._snapshots = self._engine.snapshots()
        snapshots = [s for s in self._snapshots if _covers(s.folders, path)]
        if not snapshots:
            return ()
        if self._is_folder(snapshots[-1], path):
            return [
                Version(path=path, at=s.at, source=self.name, id=s.id, is_folder=True)
                for s in snapshots
            ]
        found = {hit.snapshot: hit for hit in self._engine.find(path)}
        return list(self._runs(path, snapshots, found))

    def fetch(self, version: Version, into: str) -> str:
        """Databases come from their consistent copy; everything is checked against its hashes."""
        may_hold_one = version.is_folder or Path(version.path).suffix.lower() in ENDINGS
        copies = self._databases(version.id) if may_hold_one else {}
        if not version.is_folder and version.path in copies:
            return self._database(version.id, copies[version.path], into)
        brought = self._engine.restore(version.id, version.path, into, self._tell)
        for path, copy in copies.items():
            if PurePath(version.path) in PurePath(path).parents:
                place = Path(brought, os.path.relpath(path, version.path))
                self._replace(version.id, copy, place)
        return brought

    def entries(self, _version: Version) -> None:
        """A snapshot's list costs nearly what bringing it costs: it is compared file by file then."""
        return

    # versions

    def _is_folder(self, newest: Snapshot, path: str) -> bool:
        """As it stands now, else as the newest snapshot says: each question costs half a second."""
        if os.path.lexists(path):
            return Path(path).is_dir()
        nodes = self._engine.nodes(newest.id, path)
        return bool(nodes) and nodes[0].type == "dir"

    def _runs(
        self, path: str, snapshots: Sequence[Snapshot], found: dict[str, Found]
    ) -> Iterator[Version]:
        last: tuple[object, ...] | None = None
        for snapshot in snapshots:
            hit = found.get(snapshot.id)
            nodes = [node for node in hit.matches if node.path == path] if hit else []
            if not nodes:
                last = None  # gone in between: what comes later is a version of its own
                continue
            node = nodes[0]
            state = (node.type, node.size, node.mtime, node.ctime)
            if state != last:
                yield Version(
                    path=path,
                    at=snapshot.at,
                    source=self.name,
                    id=snapshot.id,
                    size=node.size if node.type == "file" else None,
                    is_folder=node.type == "dir",
                )
            last = state

    # databases

    def _databases(self, snapshot: str) -> dict[str, DatabaseCopy]:
        """The consistent copies of a snapshot by the path where they belong."""
        self._snapshots = self._snapshots or self._engine.snapshots()
        known = (s.folders for s in self._snapshots if s.id == snapshot)
        for folder in next(known, ()):
            if PurePath(folder).name == FOLDER:
                into = io.BytesIO()
                with contextlib.suppress(EngineFailedError):  # no manifest: no databases then
                    self._engine.dump(snapshot, f"{folder}/{MANIFEST}", into)
                    manifest = msgspec.json.decode(into.getvalue(), type=Manifest)
                    return {copy.path: copy for copy in manifest.databases}
        return {}

    def _database(self, snapshot: str, copy: DatabaseCopy, into: str) -> str:
        brought = Path(self._engine.restore(snapshot, copy.copy, into, self._tell))
        with brought.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != copy.sha256:
                brought.unlink()
                raise VerificationFailedError(copy.path, "its SHA-256 differs from the backup's")
        brought.chmod(copy.mode)
        with contextlib.suppress(PermissionError):  # not root: it becomes ours
            os.chown(brought, copy.uid, copy.gid)
        os.utime(brought, ns=(copy.mtime_ns, copy.mtime_ns))
        return str(brought)

    def _replace(self, snapshot: str, copy: DatabaseCopy, place: Path) -> None:
        """Put the consistent copy where the restored, possibly torn file is; its logs go."""
        if not place.exists():
            return
        scratch = place.with_name(f".{place.name}.reprise")
        scratch.mkdir()
        try:
            Path(self._database(snapshot, copy, str(scratch))).replace(place)
        finally:
            scratch.rmdir()
        for side in SIDE_FILES:
            Path(f"{place}{side}").unlink(missing_ok=True)


def _covers(folders: Sequence[str], path: str) -> bool:
    pure = PurePath(path)
    return any(PurePath(folder) in (pure, *pure.parents) for folder in folders)
