"""One drill from order to certificate, put together from the adapters."""

import datetime as dt
import os
import socket
from collections.abc import Callable, Mapping, Sequence

import msgspec

from releve.adapters.content import care_d2
from releve.adapters.drill import namespace, seal
from releve.adapters.drill.examiner import RoomExaminer
from releve.adapters.drill.journal import SqliteJournal
from releve.adapters.drill.room import BootTicks, CleanRoom
from releve.adapters.pdf import PdfMissingError, pdf
from releve.adapters.restic import tools
from releve.apps.drill.state import DrillHome
from releve.flow.backup import Tell
from releve.flow.drill.ports import Engine
from releve.flow.drill.run import DrillRun, Wanted
from releve.model.drill import (
    Certificate,
    Done,
    Drill,
    Opened,
    Outcome,
    Place,
    StepName,
    Verified,
)
from releve.recover import drill as judge
from releve.report.certificate import Setting, certificate_html
from releve.report.text import FRANCE, LANGS

_DAY = dt.timedelta(days=1)  # nobody certifies for longer


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Where and on what a drill works."""

    live: tuple[str, ...] = ()  # folders that are backed up: never written to
    keep: tuple[str, ...] = ()  # folders of ours that stay writable even there
    structure: str = ""
    patients: str = ""
    bytes: int = 0  # of the last backup
    clean: Mapping[str, bool] = {}  # by snapshot, what the clean-point catalogue judged


def work(
    home: DrillHome, journal: SqliteJournal, engine: Engine, drill: Drill, scene: Scene, tell: Tell
) -> Certificate:
    """One life of the drill, to its certificate; the room is gone afterwards.

    Raises: RoomError.
    """
    room = CleanRoom(home.room(drill), scene.live)
    is_shut_in = namespace.shut_in(scene.live, (str(home.folder), room.path, *scene.keep))
    examiner = RoomExaminer(room.folder_for_scratch(), is_shut_in=is_shut_in)
    run = DrillRun(engine, room, examiner, journal, BootTicks(), tell)
    done = run.run(
        drill, Wanted(patients=scene.patients, bytes=scene.bytes), baseline(journal, drill)
    )
    made = certificate(journal, drill, done, scene, is_shut_in=is_shut_in)
    issue(
        home, made, lambda content: journal.close(drill.id, content, made.verdict, done[-1].ended)
    )
    room.remove()
    return made


def sweep(home: DrillHome, journal: SqliteJournal, now: dt.datetime) -> None:
    """Remove the rooms of drills that ended, when their process died before it could."""
    for drill in journal.drills():
        is_over = drill.ended_at is not None or (
            drill.kind == "certify" and now - drill.ordered.at > _DAY
        )
        if is_over and os.path.lexists(place := home.room(drill)):
            CleanRoom(place, ()).remove()


def baseline(journal: SqliteJournal, drill: Drill) -> dict[str, Opened]:
    """The databases of the last drill of this host that passed, by path."""
    for earlier in reversed(journal.drills()):
        if earlier.id != drill.id and earlier.host == drill.host and earlier.verdict == "passed":
            done = journal.done(earlier.id)
            steps = (StepName.DATABASES, StepName.DUMPS)
            return {o.path: o for s in steps if s in done for o in done[s].work.opened}
    return {}


def certificate(
    journal: SqliteJournal, drill: Drill, done: Sequence[Done], scene: Scene, *, is_shut_in: bool
) -> Certificate:
    """From what the journal holds alone: made twice, it is the same."""
    by_name = {one.name: one for one in done}
    checks = tuple(check for one in done for check in one.work.checks)
    snapshot, ended = by_name[StepName.CHOOSE].work.snapshot, done[-1].ended
    lives = [s for s in journal.stretches(drill.id) if s.number <= done[-1].stretch]
    local, verdict = by_name[StepName.ALL_LOCAL].work, judge.verdict(checks)
    known = _earlier(journal, drill, scene.clean)
    if verdict == "passed" and (this := _verified(by_name, scene.clean)):
        known.append(this)
    rpo = judge.rpo(drill.ordered.at, known)
    return Certificate(
        id=drill.id,
        kind="drill",
        structure=scene.structure,
        verdict=verdict,
        place=Place(
            host=drill.host,
            isolation="namespace" if is_shut_in else "folder",
            engine=f"restic {tools.find(tools.RESTIC).version}",
            cpus=os.cpu_count() or 0,
        ),
        ordered_at=drill.ordered.at,
        ended_at=ended.at,
        snapshot=snapshot.id[:16] if snapshot else "",
        snapshot_at=snapshot.at if snapshot else None,
        files=local.files,
        bytes=local.bytes,
        checks=checks,
        rto=judge.rto(drill.ordered, done, lives),
        rpo_s=rpo[0] if rpo else None,
        rpo_from=rpo[1].at if rpo else None,
        rpo_judged=bool(rpo and rpo[1].is_judged),
        interruptions=len(lives) - 1,
        idle_s=round(judge.idle(lives, ended), 3),
    )


def _verified(by_name: Mapping[StepName, Done], clean: Mapping[str, bool]) -> Verified | None:
    """The snapshot of a drill that passed."""
    snapshot = by_name[StepName.CHOOSE].work.snapshot
    if snapshot is None:
        return None
    canaries = by_name[StepName.CANARIES].work.checks[0].outcome
    is_whole = canaries in (Outcome.PASSED, Outcome.ABSENT)
    return judge.cleanness(is_whole, clean, snapshot.id, snapshot.at)


def _earlier(journal: SqliteJournal, drill: Drill, clean: Mapping[str, bool]) -> list[Verified]:
    """Snapshots of this host that drills ordered before this one verified."""
    found = []
    for one in journal.drills():
        if one.id != drill.id and one.host == drill.host and one.verdict == "passed":
            done = journal.done(one.id)
            if StepName.CANARIES in done and (known := _verified(done, clean)):
                found.append(known)
    return found


def issue(home: DrillHome, made: Certificate, keep: Callable[[bytes], None]) -> None:
    """Write HTML, PDF and JSON, signed; then let the journal have it. Again is harmless."""
    key = home.key()
    print_ = seal.fingerprint(seal.public_hex(key))
    own = dt.datetime.now().astimezone()
    # A server's clock often is UTC's: its papers then show what the console shows.
    zone = own.tzinfo if own.utcoffset() and own.tzinfo else FRANCE
    setting = Setting(fingerprint=print_, care=care_d2() if made.referent else None, zone=zone)
    documents = {}
    for lang in LANGS:
        page = certificate_html(made, lang, setting)
        documents[f"{made.id}.{lang}.html"] = page.encode()
        try:
            documents[f"{made.id}.{lang}.pdf"] = pdf(page)
        except PdfMissingError:
            continue  # the HTML is complete; the signed list of documents says that there is none
    content = seal.signed(made, documents, key)
    home.keep({**documents, f"{made.id}.json": content})
    keep(content)


def host_name() -> str:
    return socket.gethostname()
