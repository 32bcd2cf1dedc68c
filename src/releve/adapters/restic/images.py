"""Surveys folders where DICOM images arrive: how many of which study, and which still change.

Only the head of a new or changed file is read; what was read is remembered in SQLite, so an hour
without new images costs a walk. Study numbers stay on the host and in the encrypted snapshot.
"""

import contextlib
import datetime as dt
import os
import sqlite3
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from releve.adapters.restic.engine import pattern
from releve.flow.backup import Tell
from releve.flow.clock import Clock
from releve.flow.sources import Surveyed
from releve.model.backup import Progress
from releve.model.sources import DicomFound, DicomSource, Lack, StudyCount, Want

HEAD = 1 << 16
_LONG = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"}
)
_STUDY = (0x0020, 0x000D)
_ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_UNKNOWN = 0xFFFFFFFF
_TELL_EACH = 500


class Images:
    """Surveyor. `index` remembers which study a file is of."""

    def __init__(self, index: Path, clock: Clock) -> None:
        self._index, self._clock = index, clock

    def survey(self, source: DicomSource, tell: Tell) -> Surveyed | Lack:
        try:
            next(Path(source.folder).iterdir(), None)
        except OSError as error:
            return Lack(source=source.name, want=Want.MISSING, why=error.strerror or str(error))
        now_ns = int(self._clock.now().timestamp() * 1e9)
        settled_ns = now_ns - int(source.settle_s * 1e9)
        counts: dict[str, list[int]] = {}
        arriving: list[str] = []
        newest = 0
        with contextlib.closing(_Index(self._index, source.name)) as index:
            for path, facts in _files(source.folder):
                newest = max(newest, facts.st_mtime_ns)
                young = max(facts.st_mtime_ns, facts.st_ctime_ns) > settled_ns
                study = "" if young and not facts.st_size else index.study(path, facts, young=young)
                count = counts.setdefault(study, [0, 0, 0])
                if young:
                    arriving.append(pattern(path))
                    count[2] += 1
                else:
                    count[0] += 1
                    count[1] += facts.st_size
                if index.seen % _TELL_EACH == 0:
                    tell(Progress(phase="images", files=index.seen, bytes=0))
            index.forget_the_rest()
        return Surveyed(found=_found(source, counts, newest, now_ns), arriving=tuple(arriving))

    def is_empty(self, folder: str) -> bool:
        return Path(folder).is_dir() and next(_files(folder), None) is None


def _found(
    source: DicomSource, counts: dict[str, list[int]], newest_ns: int, now_ns: int
) -> DicomFound:
    studies = tuple(
        StudyCount(study=study, files=files, bytes=size, arriving=coming)
        for study, (files, size, coming) in sorted(counts.items())
    )
    stale_ns = source.stale_days * 86_400e9
    return DicomFound(
        source=source.name,
        folder=source.folder,
        files=sum(one.files for one in studies),
        bytes=sum(one.bytes for one in studies),
        studies=studies,
        newest_at=dt.datetime.fromtimestamp(newest_ns / 1e9, dt.UTC) if newest_ns else None,
        stale=bool(stale_ns and newest_ns and now_ns - newest_ns > stale_ns),
    )


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Regular files; links are not followed, what vanishes in between is left out."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = f"{parent}/{name}"
            with contextlib.suppress(OSError):
                facts = os.lstat(path)
                if stat.S_ISREG(facts.st_mode):
                    yield path, facts


class _Index:
    """Path, size and time of each file with its study; a lost index is made anew."""

    def __init__(self, place: Path, source: str) -> None:
        self._source, self.seen = source, 0
        place.touch(mode=0o600)
        self._link = sqlite3.connect(place, isolation_level=None)
        self._link.execute("PRAGMA synchronous=OFF")
        self._link.execute(
            "CREATE TABLE IF NOT EXISTS image (source TEXT, path BLOB, state TEXT, study TEXT,"
            " round INTEGER, PRIMARY KEY (source, path)) WITHOUT ROWID"
        )
        self._link.execute("BEGIN")
        last = self._link.execute("SELECT max(round) FROM image WHERE source = ?", (source,))
        self._round = (last.fetchone()[0] or 0) + 1

    def study(self, path: str, facts: os.stat_result, *, young: bool) -> str:
        self.seen += 1
        state = f"{facts.st_ino}.{facts.st_size}.{facts.st_mtime_ns}.{facts.st_ctime_ns}"
        name = os.fsencode(path)
        asked = "SELECT study FROM image WHERE source = ? AND path = ? AND state = ?"
        row = self._link.execute(asked, (self._source, name, state)).fetchone()
        study = row[0] if row else study_of(path)
        if not young:  # a file that still changes is read again
            kept = (self._source, name, state, study, self._round)
            self._link.execute("INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?, ?)", kept)
        return study

    def forget_the_rest(self) -> None:
        gone = (self._source, self._round)
        self._link.execute("DELETE FROM image WHERE source = ? AND round < ?", gone)
        self._link.execute("COMMIT")

    def close(self) -> None:
        self._link.close()


def study_of(path: str) -> str:
    """The Study Instance UID of a DICOM file; '' for what is none, or says none in its first 64 kB."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        head = os.read(descriptor, HEAD)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    try:
        return _study(head)
    except (struct.error, IndexError, UnicodeDecodeError):
        return ""


def _study(head: bytes) -> str:
    if head[128:132] != b"DICM":
        return ""
    at, syntax = 132, ""
    while at < len(head):
        group = struct.unpack_from("<H", head, at)[0]
        if group != 2:
            break
        tag, value, at = _element(head, at, explicit=True, order="<")
        if tag == (0x0002, 0x0010):
            syntax = _text(value)
    if syntax == "1.2.840.10008.1.2.1.99":  # deflated: not read here
        return ""
    explicit, order = syntax != "1.2.840.10008.1.2", ">" if syntax.endswith("1.2.2") else "<"
    while at + 8 <= len(head):
        tag, value, at = _element(head, at, explicit=explicit, order=order)
        if tag == _STUDY:
            return _text(value)
        if tag > _STUDY:
            return ""
    return ""


def _element(
    head: bytes, at: int, *, explicit: bool, order: str
) -> tuple[tuple[int, int], bytes, int]:
    """Tag, value and where the next element begins."""
    tag: tuple[int, int] = struct.unpack_from(f"{order}HH", head, at)
    if not explicit:
        length, start = struct.unpack_from(f"{order}I", head, at + 4)[0], at + 8
    elif head[at + 4 : at + 6] in _LONG:
        length, start = struct.unpack_from(f"{order}I", head, at + 8)[0], at + 12
    else:
        length, start = struct.unpack_from(f"{order}H", head, at + 6)[0], at + 8
    if length == _UNKNOWN:
        return tag, b"", _end_of_sequence(head, start, explicit=explicit, order=order)
    return tag, head[start : start + length], start + length


def _end_of_sequence(head: bytes, at: int, *, explicit: bool, order: str) -> int:
    """Past the items of a sequence whose length is not told, and past its end mark."""
    while True:
        tag, length = _mark(head, at, order)
        at += 8
        if tag == _SEQUENCE_END:
            return at
        if length != _UNKNOWN:
            at += length
            continue
        while _mark(head, at, order)[0] != _ITEM_END:
            _, _, at = _element(head, at, explicit=explicit, order=order)
        at += 8


def _mark(head: bytes, at: int, order: str) -> tuple[tuple[int, int], int]:
    group, element, length = struct.unpack_from(f"{order}HHI", head, at)
    return (group, element), length


def _text(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode("ascii")
