"""Timers of legal clocks: does each fire once, though the processes that fire them are killed at random.

    .venv/bin/python bench/timers.py [--quick] [--json] [--timers N] [--seed N] [--only sqlite|postgres]

The real store (SQLite, in memory where there is such a place: a killed process loses no page that it had
written; and PostgreSQL on disk), incidents declared in twenty hospitals,
until there are so many timers. Processes fire them as the server does; all are killed with kill -9 after a
random time, until nothing waits. Each new one finds a clock that stepped by up to a day, forwards or
backwards; on PostgreSQL two work at once. Then every timer is held against its effects: the reminder in the
clock, the line of the audit trail, and the call that rings people. All of it is in a PID namespace of its own.
`--quick`: 2,000 timers, and kills come faster.
"""

import argparse
import datetime as dt
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' PostgreSQL

from timers_ground import T0, fill, fire, opened, told, waiting

from releve.adapters.sql.engine import open_engine, sqlite_url
from tests.server.world import Postgres

_LAST = dt.timedelta(days=100)  # the longest delay of the content is three months
_SHUT_IN = ("unshare", "-pfm", "--kill-child", "--mount-proc")
_fork = multiprocessing.get_context(
    "fork"
)  # a new process begins at once: most of its life it fires


def run(
    url: str, timers: int, chance: Random, *, workers: int, longest_s: float
) -> dict[str, object]:
    """Figures of one database."""
    open_engine(url).dispose()
    with opened(url) as store:
        made = fill(store, timers)
    kills, begun, last = 0, time.monotonic(), dt.timedelta()
    while _waits(url):
        last = min(last + dt.timedelta(hours=chance.uniform(1, 72)), _LAST)
        steps = [last + dt.timedelta(hours=chance.uniform(-24, 24)) for _ in range(workers)]
        working = [_fork.Process(target=fire, args=(url, T0 + step)) for step in steps]
        for process in working:
            process.start()
        time.sleep(chance.uniform(0.0, longest_s))
        for process in working:
            kills += process.is_alive()
            process.kill()
            process.join()
    seconds = time.monotonic() - begun
    with opened(url) as store:
        found = told(store)
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


def _waits(url: str) -> bool:
    with opened(url) as store:
        return waiting(store, T0 + _LAST)


def _twice(effects: Counter[tuple[str, str, str]]) -> int:
    return sum(count - 1 for count in effects.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--timers", type=int)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    chosen = parser.parse_args()
    if os.getpid() != 1:  # SIGKILL must reach nobody outside
        os.execvp(_SHUT_IN[0], [*_SHUT_IN, sys.executable, *sys.argv])
    before, longest = os.getloadavg()[0], 0.5 if chosen.quick else 2.0
    timers = chosen.timers or (2_000 if chosen.quick else 20_000)
    found: dict[str, object] = {"seed": chosen.seed, "load_before": round(before, 2)}
    if chosen.only != "postgres":
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        with tempfile.TemporaryDirectory(prefix="releve-timers-", dir=memory) as folder:
            url, chance = sqlite_url(Path(folder)), Random(chosen.seed)
            found["sqlite"] = run(url, timers, chance, workers=1, longest_s=longest)
    if chosen.only != "sqlite":
        server, chance = Postgres(), Random(chosen.seed)
        try:
            url = server.new_url()
            found["postgres"] = run(url, timers, chance, workers=2, longest_s=longest)
        finally:
            server.close()
    print(json.dumps(found) if chosen.as_json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
