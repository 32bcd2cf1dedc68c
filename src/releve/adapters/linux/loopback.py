"""Who, on this machine, is at the other end of a connection on loopback: the kernel says so."""

import pwd
from pathlib import Path

_ESTABLISHED = "01"
_LOCAL, _REMOTE, _STATE, _UID = 1, 2, 3, 7  # columns of /proc/net/tcp


def user_of(client: int, server: int, table: Path = Path("/proc/net/tcp")) -> str:
    """The login of whoever connected from the port `client` to `server`; empty: not to be known."""
    ends = (_end(client), _end(server))
    try:
        rows = [line.split() for line in table.read_text("ascii").splitlines()[1:]]
    except OSError:
        return ""
    uids = [
        int(r[_UID]) for r in rows if (r[_LOCAL], r[_REMOTE]) == ends and r[_STATE] == _ESTABLISHED
    ]
    return _name(uids[0]) if uids else ""


def _end(port: int) -> str:
    return f"0100007F:{port:04X}"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
