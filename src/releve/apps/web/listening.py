"""Where a page or server of ours listens: on loopback, or elsewhere with encryption only."""

import socket

from releve.model.errors import ReleveError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class PlainListenError(ReleveError):
    """Without encryption a server listens on loopback only."""

    status = 50
    remedy = "Leave --no-tls out, or listen on 127.0.0.1."

    def __init__(self, listen: str) -> None:
        super().__init__(f"{listen} is not loopback, and --no-tls was given.")


class ListenError(ReleveError):
    """The address cannot be listened on."""

    status = 53
    remedy = "Stop what uses it, or choose another with --listen ADDRESS:PORT."

    def __init__(self, listen: str, why: str) -> None:
        super().__init__(f"{listen} cannot be listened on ({why}).")


def host_of(listen: str) -> str:
    """The address of ADDRESS:PORT, without the brackets of IPv6."""
    return listen.rpartition(":")[0].strip("[]") or "127.0.0.1"


def listener_on(listen: str) -> socket.socket:
    """Bound before anything is said or made: an address in use is a plain error.

    Raises: ListenError.
    """
    host, port = host_of(listen), listen.rpartition(":")[2]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=2048)
    except (OSError, OverflowError, ValueError) as error:
        raise ListenError(listen, str(error)) from error
