"""Who writes through a file server: ports to name a client, to stop it alone, to let it back.

The writer that the kernel names is a server process (one smbd per connection); behind it stands
a machine with an address and a person with a name. Stopping the process is not enough, because
the client connects again at once; stopping the server would stop everybody's care.
"""

import datetime as dt
import ipaddress
from collections.abc import Collection
from typing import Protocol

import msgspec

from releve.model.errors import ReleveError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One connection to the file server: the server's process for it and who is behind."""

    pid: int
    starttime: int  # field 22 of /proc/PID/stat, clock ticks: with the pid it never repeats
    address: str  # from the kernel's socket table, not from anything the client says
    since: dt.datetime
    user: str = ""  # "" until the server has logged the session on
    machine: str = ""  # what the client calls itself: for display, never for a decision
    ended: dt.datetime | None = None
    server: int = 0  # pid of the listener that took the connection

    @classmethod
    def unseen(cls, address: str, *, since: dt.datetime, server: int = 0) -> "Client":
        """A client that is not connected now, only an address to keep out."""
        return cls(pid=0, starttime=0, address=address, since=since, server=server)


class BlockedClient(msgspec.Struct, frozen=True, kw_only=True):
    """An address that the file server refuses, and for how long still."""

    address: str
    seconds_left: int
    user: str = ""
    machine: str = ""
    hardware: str = ""  # MAC blocked with it, so that another address of the machine is no way in


class NeverBlockedError(ReleveError):
    """The address must stay reachable whatever happens."""

    status = 60
    remedy = "Look for the real source: this address is the server's own, a gateway, or protected."

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address} is never blocked: {why}.")
        self.address = address
        self.why = why


class ClientBook(Protocol):
    """Knows the client of each file server process, also shortly after it has gone."""

    def on_fork(self, parent_pid: int, pid: int) -> None:
        """Tell of a fork; returns at once and never raises, whatever the processes are."""

    def client_of(self, pid: int, starttime: int | None = None) -> Client | None:
        """The client behind `pid`; without `starttime`, the latest process of that number."""

    def is_master(self, pid: int) -> bool:
        """Whether `pid` is the listener: families are never merged across it."""

    def is_listener(self, pid: int, exe: str) -> bool:
        """The same for a process that may just have started, by its program's path."""

    def pids_of(self, address: str) -> tuple[int, ...]:
        """Living server processes of that address."""


class ClientGate(Protocol):
    """Keeps chosen clients away from the file server; every other client goes on."""

    def block(self, client: Client, *, seconds: float = 0.0) -> BlockedClient:
        """Refuse the client's old and new connections; again = the time starts anew.

        `seconds`: for so long, 0 for the gate's own time.

        Raises: NeverBlockedError.
        """

    def unblock(self, address: str) -> bool:
        """Let the address back; False if it was not blocked."""

    def blocked(self) -> tuple[BlockedClient, ...]:
        """What is refused now, as the kernel has it."""


def refuse_protected(address: str, protected: Collection[tuple[Address, str]]) -> Address:
    """The parsed address, unless it must never be blocked.

    Raises: NeverBlockedError.
    """
    parsed = unmapped(address)
    if parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast:
        raise NeverBlockedError(address, "it is a loopback or group address")
    for other, why in protected:
        if parsed == other:
            raise NeverBlockedError(address, why)
    return parsed


def unmapped(address: str) -> Address:
    """Parse; an IPv4 address in IPv6 clothes (::ffff:1.2.3.4) is the IPv4 one; no zone index."""
    parsed = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
