"""What the guard needs of a box in one piece: its folders, its clients, how one is stopped.

    box = BoxGuarding(Path("/var/lib/releve/box"), say)
    box.start()                                  # before the lineage: listeners must be known
    lineage = Lineage(..., is_listener=box.clients.is_listener, on_fork=box.clients.on_fork)
    parts = Parts(..., contain=box.contain)      # protect: box.folders, besides others
    box.close()

Without a box (`home=None`) the same object serves a Samba that is not ours, if one runs.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from releve.adapters.linux.contain import SmbContain
from releve.adapters.linux.nft import NftClientGate
from releve.adapters.linux.samba import SMB_PORTS, Clients
from releve.apps.box.home import Home, protected
from releve.flow.clients import Client
from releve.model.errors import ReleveError
from releve.model.lines import Alert


class BoxGuarding:
    """The guard's side of a box. `protect`: (address, reason) pairs that are never blocked."""

    def __init__(
        self,
        home: Path | None,
        say: Callable[[object], None],
        *,
        protect: tuple[tuple[str, str], ...] = (),
        poll_seconds: float = 2.0,
    ) -> None:
        self._say = say
        box = Home(home) if home else None
        ports = SMB_PORTS | {box.config().port} if box else SMB_PORTS
        self.folders = tuple(entry.path for entry in protected(box.path)) if box else ()
        self.clients = Clients(
            home=box.path if box else None, ports=ports, poll_seconds=poll_seconds
        )
        self.gate = NftClientGate(ports=ports, protect=protect)
        self.contain = SmbContain(clients=self.clients, gate=self.gate, refused=self._refused)

    def start(self) -> None:
        """Learn who listens and who is connected, and follow from now on."""
        self.clients.start()

    def close(self) -> None:
        """Follow no more; what is blocked stays blocked for its time."""
        self.clients.close()

    def _refused(self, client: Client, why: ReleveError) -> None:
        self._say(
            Alert(
                kind="client_not_blocked",
                why=f"Le poste {client.address} n'a pas pu être tenu à l'écart ; sa connexion est "
                f"coupée, mais il peut revenir. {why}",
                why_en=f"Client {client.address} could not be kept out; its connection is cut, but "
                f"it may come back. {why}",
                at=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            )
        )
