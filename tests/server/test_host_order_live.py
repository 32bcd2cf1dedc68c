"""An order from a command, while a server runs on the same home: the host that waits there gets it."""

import subprocess
import sys
import threading

import anyio

from releve.flow.envelope import open_order
from releve.model.order import Isolate, SignedOrder
from tests.server.world import Running, add_host

_RELEVE = "from releve.apps.cli.main import main; main()"


def test_a_host_that_waits_at_the_server_is_told_within_seconds(served: Running) -> None:
    host = add_host(served.store, "accueil", care=False)
    client, told = served.client(host), list[SignedOrder]()

    def wait() -> None:
        told.extend(anyio.run(client.wait_orders, 20, 0).orders)

    waiting = threading.Thread(target=wait)
    waiting.start()
    words = ["host", "order", "isolate", "accueil", "--by", "claire", "--structure", "Cabinet A"]
    place = ["--home", str(served.home.path)]
    subprocess.run([sys.executable, "-c", _RELEVE, *words, *place], check=True, timeout=30)
    waiting.join(15)
    (sealed,) = told
    order = open_order(served.home.public_key(), sealed)
    assert order is not None
    assert (order.host, order.actor, order.task) == (host.id, "claire", Isolate())
