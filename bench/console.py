"""The operations room at size: how long the situation page renders, how soon a finding is on the screen.

    .venv/bin/python bench/console.py [--quick] [--json] [--structures N] [--hosts N] [--findings N]

A real server on loopback with its own database (SQLite; --db for another), filled with structures and
hosts; the operator's session is real. `situation_ms` is the whole page as the server makes it, from the
request's arrival to its last byte, asked over one kept connection: the check of session and role is in it.
`finding_to_screen_s`: a host posts a signed batch; a client that reads the page's server-sent events waits
for the picture that shows the structure with an incident more. `--quick`: 50 structures, 2,000 hosts.
`script_task_ms`: every page of the console in Chromium, filled with all that it can show; the longest that
scripts ran within one task, in time of the page's own thread, times six: a phone six times slower.
"""

import argparse
import contextlib
import datetime as dt
import json
import logging
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' world

import anyio
import httpx
import structlog
from console_scripts import longest_tasks

from releve.adapters.sql.engine import open_engine
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.flow.server import access, signin, situations
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ports import HostRecord
from releve.model.access import Role
from releve.model.host import BackupState, Host, HostState
from releve.report.figures import percentile
from tests.server.world import EnrolledHost, Running, add_host, batch, running, stopped

_LATEST_S = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--db", default="", help="an empty database's URL; SQLite else")
    parser.add_argument("--structures", type=int, default=0)
    parser.add_argument("--hosts", type=int, default=0)
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--findings", type=int, default=10)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    structures = chosen.structures or (50 if chosen.quick else 500)
    hosts = chosen.hosts or (2_000 if chosen.quick else 20_000)
    with tempfile.TemporaryDirectory(prefix="releve-console-") as folder:
        store = SqlStore(open_engine(chosen.db), Seal(b"k" * 32)) if chosen.db else None
        with running(Path(folder) / "server", store) as served:
            posted = fill(served, structures, hosts)
            with operator(served) as client:
                pages = [timed(client) for _ in range(chosen.pages)]
                shown = on_screen(served, client, posted[: chosen.findings])
        tasks = longest_tasks(Path(folder) / "pages", 3 if chosen.quick else 10)
    ms, size = [1000 * seconds for seconds, _ in pages], pages[-1][1]
    found = {
        "situation_ms": round(percentile(ms, 0.5), 1),
        "situation_p95_ms": round(percentile(ms, 0.95), 1),
        "situation_pages": len(ms),
        "situation_bytes": size,
        "finding_to_screen_s": round(percentile(shown, 0.5), 3),
        "finding_to_screen_worst_s": round(max(shown), 3),
        "findings": len(shown),
        "script_task_ms": round(tasks[0].ms, 1),
        "script_task": f"{tasks[0].page} {tasks[0].script}",
        "script_pages": len(tasks),
        "script_pages_over_50_ms": sum(task.ms > 50 for task in tasks),
        "structures": structures,
        "hosts": hosts,
        "database": "other" if chosen.db else "sqlite",
    }
    if chosen.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:28} {value}" for name, value in found.items()))


def fill(served: Running, structures: int, hosts: int) -> list[EnrolledHost]:
    """One enrolled host per structure that can post; the others are there with their state."""
    now, store = served.context.clock.now(), served.store
    provider = ensure_structure(store, "Infogérant", "provider", now)
    olga = signin.create_person(
        store, provider, "olga", "une phrase assez longue", "olga", now, role=Role.OPERATOR
    )
    assert olga is not None
    posting = []
    for number in range(structures):
        one = add_host(store, f"poste-{number}-0", f"Cabinet {number:04d}")
        posting.append(one)
        more = hosts // structures + (number < hosts % structures) - 1
        with store.unit(one.structure) as unit:
            access.give(unit, olga, Role.OPERATOR, actor="admin", now=now)
            for place in range(more):
                unit.put_host(
                    HostRecord(host=host(one.structure, number, place, now), public_key=b"")
                )
            situations.keep(unit, now)
    return posting


def host(structure: str, number: int, place: int, now: dt.datetime) -> Host:
    state = HostState(
        guard="enforcing", backup=BackupState(at=now, ok=True, ms=9.0, last_good_at=now)
    )
    return Host(
        id=f"h{number}-{place}",
        structure=structure,
        name=f"poste-{number}-{place + 1}",
        enrolled_at=now,
        carries_care=False,
        last_seen_at=now,
        state=state,
    )


def operator(served: Running) -> httpx.Client:
    now = served.context.clock.now()
    olga = served.store.person_by_login("olga")
    assert olga is not None
    opened = signin.open_session(served.store, olga, "full", served.context.new_secret, now)
    cookies = {"releve": opened.secret}
    return httpx.Client(base_url=served.url, cookies=cookies, trust_env=False, timeout=60)


def timed(client: httpx.Client) -> tuple[float, int]:
    begun = time.perf_counter()
    answer = client.get("/situation")
    seconds = time.perf_counter() - begun
    assert answer.status_code == 200
    return seconds, len(answer.content)


def on_screen(served: Running, client: httpx.Client, hosts: list[EnrolledHost]) -> list[float]:
    """One after the other, with the page open all the time."""
    times, seen = [], threading.Condition()
    pictures: list[str] = [""]

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
                with seen:
                    pictures[0] = next((w for w in reversed(whole) if "data:" in w), pictures[0])
                    seen.notify_all()

    threading.Thread(target=read, daemon=True).start()
    with seen:
        assert seen.wait_for(lambda: pictures[0], _LATEST_S)
    for one in hosts:
        event = stopped("famille", served.context.clock.now())
        begun = time.perf_counter()
        anyio.run(served.client(one).send, batch(event))
        with seen:
            row = re.compile(rf'id="s-{one.structure}".*?</tr>', re.DOTALL)
            is_there = seen.wait_for(
                lambda row=row: "mood-down" in rowed(row, pictures[0]), _LATEST_S
            )
        assert is_there, "the finding never came to the screen"
        times.append(time.perf_counter() - begun)
    return times


def rowed(row: re.Pattern[str], picture: str) -> str:
    found = row.search(picture)
    return found[0] if found else ""


if __name__ == "__main__":
    main()
