"""What a guard keeps out across its restarts, and which addresses it never keeps out."""

import datetime as dt
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from releve.adapters.durable import write
from releve.apps.box.home import read
from releve.apps.box.host import HostConfig
from releve.flow.clients import BlockedClient

_FILE = "blocked.json"
_SERVER = "it is the Relève server"
_AGAIN_S, _RETRY_S = 600.0, 30.0  # a name may move to another address; an outage of names ends


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A client that was kept out when the guard ended, and until when it would have been."""

    address: str
    until: dt.datetime
    user: str = ""
    machine: str = ""


class Blocks:
    """`HOME/blocked.json`: the guard takes its rules along when it ends, and brings them back."""

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE

    def keep(self, held: Iterable[BlockedClient], now: dt.datetime) -> None:
        """Remember who is kept out, for as long as was left."""
        kept = [
            Kept(
                address=b.address,
                until=now + dt.timedelta(seconds=b.seconds_left),
                user=b.user,
                machine=b.machine,
            )
            for b in held
        ]
        if kept or self._path.exists():
            write(self._path, msgspec.json.format(msgspec.json.encode(kept)))

    def take(self, now: dt.datetime) -> tuple[Kept, ...]:
        """Who is still to be kept out; asked once, as the kernel knows from then on."""
        kept = read(self._path, tuple[Kept, ...]) or ()
        self._path.unlink(missing_ok=True)
        return tuple(k for k in kept if k.until > now)


class Servers:
    """Addresses of the servers of this host: ADDRESS, NAME, ADDRESS:PORT, NAME:PORT or a URL.

    Names are looked up on a thread of its own, for a block may not wait for a name server.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(dict.fromkeys(map(_host, names)))
        self._known: dict[str, tuple[str, ...]] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def of(cls, home: Path | None, named: Iterable[str]) -> "Servers":
        """Those that were named, and those that the host knows for its isolation."""
        config = read(home / "host.json", HostConfig) if home is not None else None
        return cls((*named, *(config.servers if config is not None else ())))

    def start(self) -> None:
        """Look all names up now, once, and again now and then."""
        if self._names:
            first = threading.Event()
            self._thread = threading.Thread(
                target=self._follow, args=(first,), name="servers", daemon=True
            )
            self._thread.start()
            first.wait(2.0)

    def close(self) -> None:
        self._closing.set()

    def protected(self) -> tuple[tuple[str, str], ...]:
        """(address, reason) of every server, as last known."""
        return tuple((a, _SERVER) for found in list(self._known.values()) for a in found)

    def _follow(self, first: threading.Event) -> None:
        while not self._closing.is_set():
            for name in self._names:
                found = _addresses(name)
                if found:  # an outage of names takes no address away
                    self._known[name] = found
            first.set()
            whole = len(self._known) == len(self._names)
            self._closing.wait(_AGAIN_S if whole else _RETRY_S)


def _addresses(name: str) -> tuple[str, ...]:
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


def _host(name: str) -> str:
    """The address or name in what people write; an IPv6 address may stand without brackets."""
    if "://" not in name and name.count(":") > 1 and "[" not in name:
        return name
    return urlsplit(name if "://" in name else f"//{name}").hostname or name
