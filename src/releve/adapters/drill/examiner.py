"""What was restored, read: hashes, databases, dumps, images, witnesses."""

import datetime as dt
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from releve.adapters.drill import dicom, mariadb, postgres, sqlite
from releve.adapters.restic.databases import MANIFEST
from releve.adapters.restic.fingerprints import load as load_fingerprints
from releve.adapters.store import canaries
from releve.model.backup import Manifest
from releve.model.drill import Check, Opened, Outcome, Reason, StepName
from releve.model.sources import SourcesManifest

_DUMP_MAGIC = b"PGDMP"
_DICOM_MOST = 200  # images decoded in one drill, spread over all


class RoomExaminer:
    """Examiner: reads below the clean room; scratch space is in it, too."""

    def __init__(self, scratch: str, *, is_shut_in: bool) -> None:
        self._scratch, self._is_shut_in = scratch, is_shut_in

    def manifest(self, folder: str) -> Manifest | None:
        try:
            return msgspec.json.decode(Path(folder, MANIFEST).read_bytes(), type=Manifest)
        except (OSError, msgspec.DecodeError):
            return None

    def sources(self, folder: str) -> SourcesManifest | None:
        try:
            content = Path(folder, "sources.json").read_bytes()
            return msgspec.json.decode(content, type=SourcesManifest)
        except (OSError, msgspec.DecodeError):
            return None

    def database(self, path: str, belongs: str) -> Opened:
        return sqlite.open_sqlite(path, belongs, dt.datetime.now(dt.UTC), self._scratch)

    def dumps(self, folders: Sequence[str]) -> list[str]:
        return [path for path in files(folders) if head(path, 5) == _DUMP_MAGIC]

    def load_dumps(
        self, paths: Sequence[str], named: Sequence[str] = ()
    ) -> tuple[list[Opened], str]:
        return postgres.load(paths, named, self._scratch, is_shut_in=self._is_shut_in)

    def load_sql(self, paths: Sequence[str], named: Sequence[str]) -> tuple[list[Opened], str]:
        return mariadb.load(paths, named, self._scratch, is_shut_in=self._is_shut_in)

    def server(self, url: str) -> Opened:
        """A database on its own server, by its address."""
        return postgres.count_server(url)

    def sha256(self, path: str) -> str:
        """Empty when it cannot be read."""
        try:
            with Path(path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""

    def hashes(self, folders: Mapping[str, str], manifest: str) -> tuple[Check, tuple[str, ...]]:
        name, total, seen, bad, moved = StepName.HASHES, 0, 0, [], 0
        for known in load_fingerprints(Path(manifest)):
            place = _place(known.path, folders)
            if place is None:
                continue
            seen += 1
            try:
                facts = os.lstat(place)
            except OSError:
                bad.append(known.path)
                continue
            if (facts.st_size, facts.st_mtime_ns) != (known.size, known.mtime_ns):
                moved += 1  # written to between the list and the copy: nothing to compare with
            elif self.sha256(place) != known.sha256:
                bad.append(known.path)
            else:
                total += facts.st_size
        reasons = []
        if bad:
            reasons.append(Reason(kind="hash_differs", seen=str(len(bad)), wanted=str(seen)))
        if moved:
            reasons.append(Reason(kind="changed_meanwhile", seen=str(moved), wanted=str(seen)))
        if not seen:
            reasons.append(Reason(kind="no_fingerprints"))
        is_bad = bool(bad) or not seen or moved == seen
        check = Check(
            name=name,
            outcome=Outcome.FAILED if is_bad else Outcome.PASSED,
            counted=seen - moved,
            bad=len(bad),
            bytes=total,
            reasons=tuple(reasons),
        )
        return check, tuple(bad)

    def dicom(self, folders: Sequence[str]) -> tuple[Check, tuple[str, ...]]:
        images = [path for path in files(folders) if head(path, 132)[128:] == b"DICM"]
        if not images:
            return Check(name=StepName.DICOM, outcome=Outcome.ABSENT), ()
        step = max(1, len(images) // _DICOM_MOST)
        chosen = images[::step][:_DICOM_MOST]
        depth, seen = dicom.decode(chosen)
        bad, deep = seen.broken, len(chosen) - len(seen.folded)
        reasons = [Reason(kind=f"dicom_{depth}", seen=str(deep), wanted=str(len(images)))]
        if seen.folded:
            reasons.append(Reason(kind="dicom_folded", seen=str(len(seen.folded))))
        if bad:
            reasons.append(Reason(kind="dicom_bad", seen=str(len(bad)), wanted=str(len(chosen))))
        outcome = Outcome.FAILED if bad else Outcome.PASSED
        check = Check(
            name=StepName.DICOM,
            outcome=Outcome.NOT_DONE if depth == "missing" else outcome,
            counted=len(chosen),
            bad=len(bad),
            reasons=tuple(reasons),
        )
        return check, tuple(bad)

    def canaries(self, folders: Sequence[str]) -> tuple[Check, tuple[str, ...]]:
        found = [path for path in files(folders) if Path(path).name in canaries.NAMES]
        if not found:
            return Check(name=StepName.CANARIES, outcome=Outcome.ABSENT), ()
        bad = [path for path in found if not canaries.is_as_planted(path)]
        check = Check(
            name=StepName.CANARIES,
            outcome=Outcome.FAILED if bad else Outcome.PASSED,
            counted=len(found),
            bad=len(bad),
            reasons=(Reason(kind="canary_changed", seen=str(len(bad))),) if bad else (),
        )
        return check, tuple(bad)

    def size(self, folders: Sequence[str]) -> tuple[int, int]:
        count = total = 0
        for path in files(folders):
            count += 1
            total += os.lstat(path).st_size
        return count, total


def files(folders: Sequence[str]) -> Iterator[str]:
    """Regular files in a sure order; a folder may be a file itself."""
    for folder in folders:
        if not Path(folder).is_dir():
            if _is_file(folder):
                yield folder
            continue
        for parent, below, names in os.walk(folder):
            below.sort()
            for name in sorted(names):
                if _is_file(path := f"{parent}/{name}"):
                    yield path


def head(path: str, size: int) -> bytes:
    try:
        with Path(path).open("rb", buffering=0) as file:
            return file.read(size)
    except OSError:
        return b""


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _place(path: str, folders: Mapping[str, str]) -> str | None:
    """Where a live path was restored; the innermost folder counts."""
    fitting = [f for f in folders if path == f or path.startswith(f.rstrip("/") + "/")]
    if not fitting:
        return None
    folder = max(fitting, key=len)
    return os.path.normpath(folders[folder] + "/" + os.path.relpath(path, folder))
