"""Timers of legal clocks: does each fire once, though the processes that fire them are killed at random.

    .venv/bin/python bench/timers.py [--quick] [--json] [--timers N] [--seed N]

The real store (SQLite on disk, synchronous FULL; and PostgreSQL), incidents declared in twenty hospitals,
until there are so many timers. Processes fire them as the server does, each in a PID namespace of its own;
all are killed with kill -9 after a random time, until nothing waits. Each new one finds a clock that stepped
by up to a day, forwards or backwards; on PostgreSQL two work at once. Then every timer is held against its
effects: the reminder in the clock, the line of the audit trail, and the call that rings people.
`--quick`: kills come faster, the same timers.
"""

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' PostgreSQL

from timers_ground import T0, fill, fire, told, waiting

from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from tests.server.world import Postgres

_LAST = dt.timedelta(days=100)  # the longest delay of the content is three months
_MOSTLY = 0.8
_SHUT_IN = ("unshare", "-pfm", "--kill-child", "--mount-proc")


def run(
    url: str, timers: int, chance: Random, *, workers: int, longest_s: float
) -> dict[str, object]:
    """Figures of one database."""
    store = SqlStore(open_engine(url), Seal(b"k" * 32))
    made = fill(store, timers)
    kills, begun, last = 0, time.monotonic(), dt.timedelta()
    while waiting(store, T0 + _LAST):
        last = min(last + dt.timedelta(hours=chance.uniform(1, 72)), _LAST)
        steps = [last + dt.timedelta(hours=chance.uniform(-24, 24)) for _ in range(workers)]
        working = [_worker(url, T0 + step) for step in steps]
        if chance.random() < _MOSTLY:  # else some are killed while they begin
            for process in working:
                process.stdout.readline()
        time.sleep(chance.uniform(0.0, longest_s))
        for process in working:
            kills += process.poll() is None
            process.kill()
            process.wait()
            process.stdout.close()
    seconds = time.monotonic() - begun
    found = told(store)
    store.close()
    return {
        "timers": made,
        "kills": kills,
        "seconds": round(seconds, 1),
        "forgotten": sum(made - len(effects) for effects in (found.reminders, found.lines)),
        "twice": sum(_twice(effects) for effects in (found.reminders, found.lines, found.rung)),
        "rung": len(found.rung),
        "not_rung": len(found.to_ring - set(found.rung)),
        "early": found.early,
        "trails_whole": found.trails_whole,
    }


def _worker(url: str, now: dt.datetime) -> "subprocess.Popen[bytes]":
    words = [*_SHUT_IN, sys.executable, __file__, "--fire", url, "--at", now.isoformat()]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _twice(effects: Counter[tuple[str, str, str]]) -> int:
    return sum(count - 1 for count in effects.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--timers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--fire", help=argparse.SUPPRESS)
    parser.add_argument("--at", type=dt.datetime.fromisoformat, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.fire:
        fire(chosen.fire, chosen.at)
        return
    before, chance = os.getloadavg()[0], Random(chosen.seed)
    longest = 3.0 if chosen.quick else 10.0
    with tempfile.TemporaryDirectory(prefix="releve-timers-") as folder:
        url = sqlite_url(Path(folder))
        lite = run(url, chosen.timers, chance, workers=1, longest_s=longest)
    server = Postgres()
    try:
        other = run(server.new_url(), chosen.timers, chance, workers=2, longest_s=longest)
    finally:
        server.close()
    found = {
        "timers": chosen.timers,
        "sqlite": lite,
        "postgres": other,
        "seed": chosen.seed,
        "load_before": round(before, 2),
    }
    print(json.dumps(found) if chosen.as_json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
