"""A whole real server on loopback whose escalations have the times that it is given.

    python bench/assist_server.py HOME PORT ANSWER_SECONDS INSIST_SECONDS

For bench/assist.py and the tests that kill it: waiting 45 seconds for each person would take an hour.
"""

import datetime as dt
import sys
from pathlib import Path

import anyio

from releve.adapters.system import log_to_stderr
from releve.apps.server import wiring
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.apps.web.listening import listener_on
from releve.assist.escalation import Limits


def main(home: str, port: str, answer_s: str, insist_s: str) -> None:
    log_to_stderr()
    place = Home(Path(home))
    place.make()
    limits = Limits(
        answer=dt.timedelta(seconds=float(answer_s)), insist=dt.timedelta(seconds=float(insist_s))
    )
    url = f"http://127.0.0.1:{port}"
    with listener_on(f"127.0.0.1:{port}") as listener:
        store = make_store(place)
        app, context = wiring.build(place, store, is_secure=False, url=url, limits=limits)
        anyio.run(wiring.serve, app, context, listener, None)


if __name__ == "__main__":
    main(*sys.argv[1:])
