"""What the agent tells of a backup, from the lines that the command really prints."""

import datetime as dt
from pathlib import Path

import anyio
import msgspec

from releve.adapters.process.commands import ProcessCommands
from releve.adapters.spool.sqlite import SqliteSpool
from releve.adapters.system import SystemClock
from releve.flow.agent.backup import back_up_once
from releve.flow.scan_ports import Reading, Scanned
from releve.model.backup import Backup, DatabaseSkipped, Progress
from releve.model.clean import Verdict
from releve.model.event import BackupRan
from releve.model.host import HostState
from releve.triage.hosts import step

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def made(at: dt.datetime, snapshot: str) -> Backup:
    return Backup(
        snapshot=snapshot, at=at, files=20, files_new=1, files_changed=2, bytes=4096, bytes_added=7,
        ms=9.0, databases=2, skipped=(DatabaseSkipped(path="/srv/M. Dupont.db", why="busy"),),
    )  # fmt: skip


def judged(at: dt.datetime, snapshot: str, verdict: Verdict) -> Scanned:
    return Scanned(
        snapshot=snapshot, at=at, verdict=verdict, judgements=(), files=3, bytes=9, ms=4.0
    )


def tell(tmp_path: Path, *lines: object) -> BackupRan:
    """As told when the command prints these lines."""
    said = tmp_path / "said"
    said.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    spool = SqliteSpool(tmp_path / "agent.db")
    ran = anyio.run(back_up_once, ProcessCommands(), spool, SystemClock(), ["cat", str(said)])
    assert b"Dupont" not in b"".join(i.event for i in spool.next_items(most=9, most_bytes=9999))
    spool.close()
    return ran


def test_the_newest_snapshot_that_was_judged_clean_is_what_would_come_back(tmp_path: Path) -> None:
    progress = Progress(phase="backup", files=1, bytes=2)
    waited = judged(T0 - HOUR, "b1", Verdict.CLEAN)
    own = judged(T0, "b2", Verdict.SUSPECT)
    ran = tell(tmp_path, progress, made(T0, "b2"), Reading(snapshot="b1", files=1, of=2, bytes=3),
               waited, own)  # fmt: skip
    assert (ran.snapshot_at, ran.files, ran.databases) == (T0, 20, 2)
    assert (ran.verdict, ran.clean_at) == ("suspect", T0 - HOUR)
    state = step(HostState(), ran)
    failed = BackupRan(seen_at=T0 + HOUR, ok=False, ms=1)
    kept = step(state, failed).backup
    assert kept is not None
    assert (kept.ok, kept.clean_at, kept.files) == (False, T0 - HOUR, 20)


def test_a_host_that_judges_nothing_says_so(tmp_path: Path) -> None:
    ran = tell(tmp_path, made(T0, "b2"))
    assert (ran.ok, ran.verdict, ran.clean_at) == (True, "", None)


def test_hours_of_progress_do_not_hide_how_it_ended(tmp_path: Path) -> None:
    many = [Progress(phase="backup", files=n, bytes=n) for n in range(25_000)]
    ran = tell(tmp_path, *many, made(T0, "b2"))
    assert ran.files == 20
