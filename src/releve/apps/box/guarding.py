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

import msgspec

from releve.adapters.linux.contain import SmbContain
from releve.adapters.linux.nft import NftClientGate
from releve.adapters.linux.samba import SMB_PORTS, Clients
from releve.apps.box.blocks import Blocks, Servers
from releve.apps.box.home import Home, protected
from releve.flow.clients import Client
from releve.model.errors import ReleveError
from releve.model.lines import Alert


class BoxGuarding:
    """The guard's side of a box. `servers`: whom it never blocks: ADDRESS, NAME or URL."""

    def __init__(
        self,
        home: Path | None,
        say: Callable[[object], None],
        *,
        servers: tuple[str, ...] = (),
        poll_seconds: float = 2.0,
    ) -> None:
        self._say = say
        box = Home(home) if home else None
        ports = SMB_PORTS | {box.config().port} if box else SMB_PORTS
        self.folders = tuple(entry.path for entry in protected(box.path)) if box else ()
        self.clients = Clients(
            home=box.path if box else None, ports=ports, poll_seconds=poll_seconds
        )
        self._servers = Servers.of(box.path if box else None, servers)
        self._blocks = Blocks(box.path) if box else None
        self.gate = NftClientGate(ports=ports, protect=self._servers.protected)
        self.contain = SmbContain(
            clients=self.clients, gate=self.gate, refused=self._refused, on_close=self.close
        )

    def start(self) -> None:
        """Learn who listens and who is connected, and follow from now on.

        Whom the last guard kept out is kept out for the rest of the time.
        """
        self._servers.start()
        self.clients.start()
        now = dt.datetime.now(dt.UTC)
        for kept in self._blocks.take(now) if self._blocks is not None else ():
            listener = next(iter(self.clients.masters()), 0)
            client = msgspec.structs.replace(
                Client.unseen(kept.address, since=now, server=listener),
                user=kept.user,
                machine=kept.machine,
            )
            self.contain.keep_out(client, seconds=(kept.until - now).total_seconds())

    def close(self) -> None:
        """The guard ends: what it put into nftables goes, and is remembered for its next start.

        What a person blocked (`releve share block`) and an isolation stay for their time.
        """
        self._servers.close()
        self.clients.close()
        try:
            held = [b for b in self.gate.blocked() if b.address in self.contain.kept_out]
            if self._blocks is not None:
                self._blocks.keep(held, dt.datetime.now(dt.UTC))
            for blocked in held:
                self.gate.unblock(blocked.address)
        except (ReleveError, OSError) as error:
            self._say(
                Alert(
                    kind="client_not_unblocked",
                    why="Des postes restent tenus à l'écart jusqu'à la fin de leur délai : "
                    f"`releve share unblock ADRESSE` lève un blocage. {error}",
                    why_en="Clients stay kept out until their time is over: "
                    f"`releve share unblock ADDRESS` lets one back. {error}",
                    at=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
                )
            )

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
