"""A host's agent for tests: its home, its spool, and programs that stand in for nothing:
a guard is any program that prints the guard's lines."""

import datetime as dt
import sys
import time
from collections.abc import Callable
from pathlib import Path

from releve.adapters.spool.sqlite import SqliteSpool
from releve.flow.wire import decode_event
from releve.model import event as ev

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)

# Prints numbered alerts until SIGTERM, as a guard prints its lines.
PRINTER = """
import itertools, json, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
start = int(time.time() * 1000)
print(json.dumps({"event": "ready", "folders": [], "enforce": True, "pid": 1}), flush=True)
for n in itertools.count():
    print(json.dumps({"event": "alert", "kind": "%d.%d" % (start, n), "why": "x"}), flush=True)
    time.sleep(0.01)
"""
GUARD = (sys.executable, "-c", PRINTER)


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come to pass in time"
        time.sleep(0.02)


def events(spool: SqliteSpool) -> list[ev.AnyEvent]:
    items = spool.next_items(most=1_000_000, most_bytes=10**9)
    found = [decode_event(i.event) for i in items]
    return [e for e in found if e is not None]


def numbers(found: list[ev.AnyEvent]) -> dict[str, list[int]]:
    """The alerts' numbers by guard process."""
    runs: dict[str, list[int]] = {}
    for event in found:
        if isinstance(event, ev.GuardAlerted):
            run, _, number = event.alert.partition(".")
            runs.setdefault(run, []).append(int(number))
    return runs


def open_spool(home: Path) -> SqliteSpool:
    return SqliteSpool(home / "agent.db")
