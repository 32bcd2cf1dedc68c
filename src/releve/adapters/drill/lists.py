"""Lists of hashes that other programs make (`sha256sum`), against what lies in folders."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from releve.adapters.restic.fingerprints import load
from releve.model.drill import Check, Outcome, Reason

_LINE = re.compile(rb"(\\?)([0-9a-fA-F]{64}) [ *](.+)")


def compare(manifest: str, folders: Sequence[str]) -> Check:
    """Every entry must be there with its hash; a list without an entry proves nothing."""
    seen, bad, total = 0, 0, 0
    for path, wanted in _entries(Path(manifest)):
        seen += 1
        place = _place(path, folders)
        if place is None:
            bad += 1
            continue
        try:
            with place.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            total += place.stat().st_size
        except OSError:
            found = ""
        bad += found != wanted
    reasons: tuple[Reason, ...] = ()
    if not seen:
        reasons = (Reason(kind="manifest_empty"),)
    elif bad:
        reasons = (Reason(kind="hash_differs", seen=str(bad), wanted=str(seen)),)
    return Check(
        name="hashes",
        outcome=Outcome.FAILED if reasons else Outcome.PASSED,
        counted=seen,
        bad=bad,
        bytes=total,
        reasons=reasons,
    )


def _entries(manifest: Path) -> Iterator[tuple[str, str]]:
    """`HASH  path` as sha256sum writes it, or the list that Relève's own backups make."""
    with manifest.open("rb") as lines:
        own = lines.read(2) == b'["'
    if own:
        yield from ((one.path, one.sha256) for one in load(manifest))
        return
    with manifest.open("rb") as lines:
        for line in lines:
            if found := _LINE.fullmatch(line.rstrip(b"\r\n")):
                name = found[3]
                if found[1]:  # sha256sum marks names that it had to write otherwise
                    name = name.replace(b"\\n", b"\n").replace(b"\\\\", b"\\")
                yield name.decode(errors="surrogateescape"), found[2].decode().lower()


def _place(path: str, folders: Sequence[str]) -> Path | None:
    """The list may name paths of the old machine: the longest end that is there counts."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        return None
    for folder in map(Path, folders):
        if folder.is_file() and parts and folder.name == parts[-1]:
            return folder
        for skipped in range(len(parts)):
            place = folder.joinpath(*parts[skipped:])
            if place.is_file() and not place.is_symlink():
                return place
    return None
