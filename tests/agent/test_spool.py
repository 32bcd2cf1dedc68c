import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from releve.adapters.spool.sqlite import SqliteSpool
from releve.flow.agent.ports import Tail
from releve.flow.wire import decode_event
from releve.model import event as ev

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)


def alert(n: int) -> ev.GuardAlerted:
    return ev.GuardAlerted(seen_at=T0, alert=str(n), why="x")


def cheap(n: int) -> ev.WindowMeasured:
    return ev.WindowMeasured(
        seen_at=T0, folder="f", saves=n, p50_ms=1, p99_ms=1, worst_ms=1, held_bytes=1, room_bytes=1
    )


def read(spool: SqliteSpool, most: int = 10_000) -> list[ev.AnyEvent]:
    items = spool.next_items(most=most, most_bytes=10**9)
    assert [i.seq for i in items] == sorted(i.seq for i in items)
    events = [decode_event(i.event) for i in items]
    assert None not in events
    return [e for e in events if e is not None]


def test_events_come_back_in_order_until_they_are_stored(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "s.db")
    spool.add([alert(1), alert(2)])
    spool.add([alert(3)])
    assert [e.alert for e in read(spool) if isinstance(e, ev.GuardAlerted)] == ["1", "2", "3"]
    items = spool.next_items(most=2, most_bytes=10**9)
    spool.forget(items[-1].seq)
    assert spool.waiting() == 1


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "s.db")
    spool.add([alert(1)])
    (first,) = spool.next_items(most=9, most_bytes=10**9)
    spool.forget(first.seq)
    spool.close()
    again = SqliteSpool(tmp_path / "s.db")
    again.add([alert(2)])
    (second,) = again.next_items(most=9, most_bytes=10**9)
    assert second.seq > first.seq


def test_a_batch_is_bounded_in_bytes_but_never_empty(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "s.db")
    spool.add([alert(n) for n in range(10)])
    assert len(spool.next_items(most=10, most_bytes=1)) == 1


def test_over_its_room_the_least_telling_go_first_and_are_counted(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "s.db", most_bytes=40_000)
    spool.add([alert(n) for n in range(50)])
    for n in range(100):
        spool.add([cheap(n) for _ in range(10)])
    events = read(spool)
    assert sum(isinstance(e, ev.GuardAlerted) for e in events) == 50
    kept = sum(isinstance(e, ev.WindowMeasured) for e in events)
    told = sum(e.count for e in events if isinstance(e, ev.EventsDropped))
    assert kept + told == 1000
    assert told > 0


def test_a_count_of_dropped_events_that_is_dropped_itself_is_not_forgotten(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "s.db", most_bytes=3_000)
    total = 0
    for n in range(40):
        spool.add([alert(n) for _ in range(20)])
        total += 20
        read(spool)
    events = read(spool)
    told = sum(e.count for e in events if isinstance(e, ev.EventsDropped))
    assert told + sum(isinstance(e, ev.GuardAlerted) for e in events) == total


def test_names_stay_here_and_are_bounded(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "s.db")
    spool.add([], names=[("t1", "/srv/a"), ("t2", "/srv/b")])
    assert (spool.name_of("t1"), spool.name_of("t9")) == ("/srv/a", None)
    assert (tmp_path / "s.db").stat().st_mode & 0o077 == 0


def test_the_place_in_the_source_is_kept_with_the_events(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "s.db")
    spool.add([alert(1)], tail=Tail(path="out", offset=42))
    spool.close()
    assert SqliteSpool(tmp_path / "s.db").tail() == Tail(path="out", offset=42)


WRITER = """
import sys
from pathlib import Path
from releve.adapters.spool.sqlite import SqliteSpool
from releve.adapters.process.files import FileSource
from releve.adapters.system import SystemClock
from releve.flow.agent.supervise import Intake
from releve.sense.path_token import PathKey
spool = SqliteSpool(Path(sys.argv[1]))
intake = Intake(spool, FileSource(), PathKey(key=b"k" * 32), SystemClock())
print("up", flush=True)
while True:
    intake.drain(sys.argv[2])
"""


def test_killed_at_random_moments_the_intake_loses_nothing_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    chance, source, written = random.Random(7), tmp_path / "out.jsonl", 0
    with source.open("ab") as out:
        for _ in range(6):
            reader = subprocess.Popen(
                [sys.executable, "-c", WRITER, str(tmp_path / "s.db"), str(source)],
                stdout=subprocess.PIPE,
            )
            assert reader.stdout is not None
            reader.stdout.readline()
            until = time.monotonic() + chance.uniform(0.02, 0.25)
            while time.monotonic() < until:
                line = msgspec.json.encode(
                    {"event": "alert", "kind": str(written), "why": "x" * 50}
                )
                cut = chance.randrange(len(line))
                # A line is often on disk only in part when the reader looks.
                os.write(out.fileno(), line[:cut])
                os.write(out.fileno(), line[cut:] + b"\n")
                written += 1
            os.kill(reader.pid, signal.SIGKILL)
            reader.wait()
            reader.stdout.close()
    script = WRITER.replace("while True:\n    intake", "intake")
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "s.db"), str(source)], check=True, timeout=60
    )
    events = read(SqliteSpool(tmp_path / "s.db"), most=1_000_000)
    kinds = [int(e.alert) for e in events if isinstance(e, ev.GuardAlerted)]
    assert kinds == list(range(written))
    assert written > 50
