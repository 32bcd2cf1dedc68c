"""Stops the client behind a convicted file server process; `flow.ports.Contain`."""

from collections.abc import Callable

from releve.adapters.linux.nft import FirewallError
from releve.adapters.linux.procfs import TICK_NS
from releve.adapters.linux.samba import Clients
from releve.flow.clients import Client, ClientGate, NeverBlockedError
from releve.model.errors import ReleveError
from releve.model.process import Process

# The kernel's fork message and /proc round the start of a process differently.
_TICKS_APART = 2


class SmbContain:
    """Keeps the client's address out first; its process is then the caller's to kill.

    In this order a killed connection does not come back. `refused` hears why an address could
    not be blocked (a client on this very machine, no nftables): the kill is then all there is.
    """

    def __init__(
        self,
        *,
        clients: Clients,
        gate: ClientGate,
        refused: Callable[[Client, ReleveError], None] = lambda _client, _why: None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._clients = clients
        self._gate = gate
        self._refused = refused
        self._on_close = on_close
        self.kept_out: set[str] = set()  # addresses that were blocked through this

    def serves(self, head: Process) -> bool:
        """It serves one remote client."""
        return self.client_of(head) is not None

    def client(self, process: Process) -> str:
        """Address of the client that it serves, "" if it serves none."""
        found = self.client_of(process)
        return found.address if found else ""

    def user(self, process: Process) -> str:
        """Who logged that client on, "" if nobody is known."""
        found = self.client_of(process)
        return found.user if found else ""

    def block(self, head: Process) -> str:
        """Block the client that `head` serves; answers its address, "" if it serves none."""
        client = self.client_of(head)
        if client is None:
            return ""
        return self.keep_out(client)

    def keep_out(self, client: Client, *, seconds: float = 0.0) -> str:
        """Block its address, for the gate's own time or `seconds`; "" if that was refused."""
        try:
            address = self._gate.block(client, seconds=seconds).address
        except (NeverBlockedError, FirewallError) as error:
            self._refused(client, error)
            return ""
        self.kept_out.add(client.address)
        return address

    def close(self) -> None:
        """The guard ends."""
        self._on_close()

    def is_blocked(self, process: Process) -> bool:
        """Its client was blocked before: whatever harm it did on other connections counts too.

        A client that takes a new connection for every file is many families; what is judged after
        the first of them was convicted must not start from zero.
        """
        client = self.client_of(process) if self.kept_out else None
        return client is not None and client.address in self.kept_out

    def is_nameless(self, process: Process) -> bool:
        """A child of the file server whose client has no name: it left before anybody could look.

        The server's log names most of them a moment later.
        """
        child = next((at for at in process.chain() if _may_serve(at)), None)
        if child is None or self._clients.is_master(child.pid):
            return False
        return self.client_of(process) is None

    def has_blocked(self) -> bool:
        """An attack goes on by way of this server."""
        return bool(self.kept_out)

    def client_of(self, process: Process) -> Client | None:
        """The client that the process, or the one that started it, serves; also after its end."""
        for at in process.chain():
            if not _may_serve(at):
                continue  # no look at /proc for every local program
            client = self._clients.client_of(at.pid)
            if client is not None and _is_of(at, client):
                return client
        return None


def _is_of(process: Process, client: Client) -> bool:
    """The start is 0 of a process that was gone before it could be read: then the number decides."""
    apart = abs(client.starttime - process.start_ns // TICK_NS)
    return not client.starttime or apart <= _TICKS_APART


def _may_serve(process: Process) -> bool:
    exe = process.exe.removesuffix(" (deleted)")  # the package was upgraded meanwhile
    return exe.endswith("/smbd") or process.program.startswith("smbd")
