"""Certifies a restore that another product made: looks at what lies there, and changes nothing."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

from releve.adapters.drill import namespace
from releve.adapters.drill.examiner import RoomExaminer, files, head
from releve.adapters.drill.journal import SqliteJournal
from releve.adapters.drill.lists import compare
from releve.adapters.drill.room import BootTicks, CleanRoom
from releve.apps.drill.state import DrillHome
from releve.apps.drill.wiring import host_name, issue
from releve.flow.drill.ports import NothingToCertifyError
from releve.model.drill import (
    Certificate,
    Check,
    Drill,
    Opened,
    Outcome,
    Place,
    Reason,
    Referent,
)
from releve.recover.drill import judge_databases, verdict

_SQLITE = b"SQLite format 3\0"
_SERVER = "postgresql://"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be certified, and who answers for it."""

    paths: tuple[str, ...]
    referent: Referent
    manifest: str = ""
    databases: tuple[str, ...] = ()  # files, or postgresql:// without a password
    dicom: tuple[str, ...] = ()
    product: str = ""
    structure: str = ""


def check_there(asked: Asked) -> None:
    """Raises: NothingToCertifyError."""
    for path in (*asked.paths, *asked.dicom, *filter(_is_file_name, asked.databases)):
        if not os.path.lexists(path):
            raise NothingToCertifyError(path)


def certify(home: DrillHome, journal: SqliteJournal, asked: Asked) -> Certificate:
    """Examine, sign, keep; what is asked for is there. Raises: RoomError."""
    ticks = BootTicks()
    ordered = ticks.moment()
    name = f"{ordered.at:%Y%m%d-%H%M}-{secrets.token_hex(3)}"
    drill = Drill(id=name, host=host_name(), ordered=ordered, kind="certify")
    journal.order(drill)
    room = CleanRoom(home.room(drill), asked.paths)
    try:
        is_shut_in = namespace.shut_in(asked.paths, (str(home.folder),))
        examiner = RoomExaminer(room.folder_for_scratch(), is_shut_in=is_shut_in)
        checks, count, size = _checks(examiner, asked)
    finally:
        room.remove()
    ended = ticks.moment()
    made = Certificate(
        id=name,
        kind="certify",
        structure=asked.structure,
        verdict=verdict(checks),
        place=Place(
            host=host_name(), isolation="none", engine=asked.product, cpus=os.cpu_count() or 0
        ),
        ordered_at=ordered.at,
        ended_at=ended.at,
        files=count,
        bytes=size,
        checks=checks,
        referent=asked.referent,
    )

    issue(home, made, lambda content: journal.close(name, content, made.verdict, ended))
    return made


def _checks(examiner: RoomExaminer, asked: Asked) -> tuple[tuple[Check, ...], int, int]:
    readable, count, size = _readable(examiner, asked.paths)
    images, _ = examiner.dicom(asked.dicom or asked.paths)
    if asked.dicom and images.outcome is Outcome.ABSENT:
        images = _bad("dicom", "no_image")
    canaries, _ = examiner.canaries(asked.paths)
    hashes = _bad("hashes", "no_manifest", Outcome.ABSENT)
    if asked.manifest:
        hashes = compare(asked.manifest, asked.paths)
    return (readable, hashes, _databases(examiner, asked), images, canaries), count, size


def _readable(examiner: RoomExaminer, paths: Sequence[str]) -> tuple[Check, int, int]:
    """Every byte is read once: a disk that lies about a file says so only then."""
    count = size = bad = 0
    for path in files(paths):
        count, size = count + 1, size + Path(path).lstat().st_size
        bad += not examiner.sha256(path)
    reasons = (Reason(kind="unreadable", seen=str(bad)),) if bad else ()
    if not count:
        reasons = (Reason(kind="no_file_there"),)
    check = Check(
        name="readable",
        outcome=Outcome.FAILED if reasons else Outcome.PASSED,
        counted=count,
        bad=bad,
        bytes=size,
        reasons=reasons,
    )
    return check, count, size


def _databases(examiner: RoomExaminer, asked: Asked) -> Check:
    """Those that were named; else all that lie in the folders."""
    places = [place for place in asked.databases if _is_file_name(place)]
    if not asked.databases:
        places = [p for p in files(asked.paths) if head(p, 16) == _SQLITE]
        places += examiner.dumps(asked.paths)
    dumps = [place for place in places if head(place, 5) == b"PGDMP"]
    opened: list[Opened] = [examiner.database(p, p) for p in places if p not in dumps]
    lacking: list[Reason] = []
    if dumps:
        loaded, why = examiner.load_dumps(dumps)
        opened += loaded
        lacking += [Reason(kind="no_server", seen=str(len(dumps)))] if why else []
    opened += [examiner.server(place) for place in asked.databases if not _is_file_name(place)]
    check = judge_databases("databases", opened, {})
    if lacking:
        reasons = (*check.reasons, *lacking)
        check = msgspec.structs.replace(check, outcome=Outcome.FAILED, reasons=reasons)
    return check


def _is_file_name(place: str) -> bool:
    return not place.startswith(_SERVER)


def _bad(name: str, kind: str, outcome: Outcome = Outcome.FAILED) -> Check:
    return Check(name=name, outcome=outcome, reasons=(Reason(kind=kind),))
