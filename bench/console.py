"""The operations room at size: how long the situation page renders, how soon a finding is on the screen.

    .venv/bin/python bench/console.py [--quick] [--json] [--structures N] [--hosts N] [--findings N]

A real server on loopback with its own database, filled with structures and hosts; the operator's
session is real. All of it with SQLite, then again (`postgres_…`) with a real PostgreSQL of its own,
which writes as durably as one in use. `situation_ms` is the whole page as the server makes it, from the
request's arrival to its last byte, asked over one kept connection: the check of session and role is in it.
`finding_to_screen_s`: a host posts a signed batch; a client that reads the page's server-sent events waits
for what shows the structure with an incident more. `--quick`: 50 structures, 2,000 hosts.
`change_drawn_s`: a call for help by the API, until Chromium has drawn it on the open situation page,
which is not loaded again; `change_task_ms`: the longest that scripts ran within one task for it, as below.
`script_task_ms`: every page of the console in Chromium, filled with all that it can show; the longest that
scripts ran within one task, in time of the page's own thread, times six: a phone six times slower.
"""

import argparse
import contextlib
import json
import logging
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' world

import anyio
import httpx
import structlog
from console_drawn import drawn
from console_ground import fill, operator
from console_scripts import longest_tasks

from releve.adapters.sql.engine import open_engine
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.report.figures import percentile
from tests.server.world import EnrolledHost, Postgres, Running, batch, running, stopped

_LATEST_S = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--structures", type=int, default=0)
    parser.add_argument("--hosts", type=int, default=0)
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--findings", type=int, default=0)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    chosen.structures = chosen.structures or (50 if chosen.quick else 500)
    chosen.hosts = chosen.hosts or (2_000 if chosen.quick else 20_000)
    chosen.findings = chosen.findings or (4 if chosen.quick else 10)
    with tempfile.TemporaryDirectory(prefix="releve-console-") as folder:
        found = of_database(Path(folder) / "sqlite", None, chosen)
        found |= {f"postgres_{name}": value for name, value in of_postgres(folder, chosen).items()}
        tasks = longest_tasks(Path(folder) / "pages", 3 if chosen.quick else 10)
    found |= {
        "script_task_ms": round(tasks[0].ms, 1),
        "script_task": f"{tasks[0].page} {tasks[0].script}",
        "script_pages": len(tasks),
        "script_pages_over_50_ms": sum(task.ms > 50 for task in tasks),
        "structures": chosen.structures,
        "hosts": chosen.hosts,
        "load": round(os.getloadavg()[0], 1),
    }
    if chosen.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:28} {value}" for name, value in found.items()))


def of_postgres(folder: str, chosen: argparse.Namespace) -> dict[str, Any]:
    server = Postgres()
    try:
        store = SqlStore(open_engine(server.new_url()), Seal(b"k" * 32))
        return of_database(Path(folder) / "postgres", store, chosen)
    finally:
        server.close()


def of_database(folder: Path, store: SqlStore | None, chosen: argparse.Namespace) -> dict[str, Any]:
    """The page, a finding and a change, over one database; SQLite when none is given."""
    with running(folder, store) as served:
        posted = fill(served, chosen.structures, chosen.hosts)
        with operator(served) as client:
            pages = [timed(client) for _ in range(chosen.pages)]
            shown = on_screen(served, client, posted[: chosen.findings])
        seen = drawn(served, posted[chosen.findings :][: chosen.findings])
    ms, size = [1000 * seconds for seconds, _ in pages], pages[-1][1]
    return {
        "situation_ms": round(percentile(ms, 0.5), 1),
        "situation_p95_ms": round(percentile(ms, 0.95), 1),
        "situation_pages": len(ms),
        "situation_bytes": size,
        "finding_to_screen_s": round(percentile(shown, 0.5), 3),
        "finding_to_screen_worst_s": round(max(shown), 3),
        "findings": len(shown),
        "change_drawn_s": round(percentile(list(seen.seconds), 0.5), 3),
        "change_drawn_worst_s": round(max(seen.seconds), 3),
        "changes": len(seen.seconds),
        "change_task_ms": round(seen.task_ms, 1),
    }


def timed(client: httpx.Client) -> tuple[float, int]:
    begun = time.perf_counter()
    answer = client.get("/situation")
    seconds = time.perf_counter() - begun
    assert answer.status_code == 200
    return seconds, len(answer.content)


def on_screen(served: Running, client: httpx.Client, hosts: list[EnrolledHost]) -> list[float]:
    """One after the other, with the page open all the time."""
    times, news = [], threading.Condition()
    heard: list[str] = []

    def read() -> None:
        # The client is closed under it once all is measured.
        with (
            contextlib.suppress(httpx.HTTPError),
            client.stream("GET", "/situation/live") as answer,
        ):
            text = ""
            for piece in answer.iter_text():
                text += piece
                *whole, text = text.split("\n\n")
                with news:
                    heard.extend(w for w in whole if "data:" in w)
                    news.notify_all()

    threading.Thread(target=read, daemon=True).start()
    with news:
        assert news.wait_for(lambda: heard, _LATEST_S)
    for one in hosts:
        event = stopped("famille", served.context.clock.now())
        row = re.compile(rf'id="s-{one.structure}".*?</tr>', re.DOTALL)
        heard.clear()
        begun = time.perf_counter()
        anyio.run(served.client(one).send, batch(event))
        with news:
            is_there = news.wait_for(lambda row=row: is_down(row, heard), _LATEST_S)
        assert is_there, "the finding never came to the screen"
        times.append(time.perf_counter() - begun)
    return times


def is_down(row: re.Pattern[str], heard: list[str]) -> bool:
    found = (row.search(message) for message in heard)
    return any("mood-down" in one[0] for one in found if one)


if __name__ == "__main__":
    main()
