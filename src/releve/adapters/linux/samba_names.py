"""Who is logged on to a Samba server: its audit log, and smbstatus where there is none.

The address always comes from the kernel (samba_proc); these sources only add the user's name and
what the client calls itself. Both are written by the server, from words that the client chose.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePath

import msgspec

# full_audit with the prefix %I|%u|%m|%S|%d: address, user, machine, share, pid of the server
# process. File names in other lines may hold anything, so only `connect` lines are read.
_CONNECT = re.compile(
    r"^ +(?P<address>[0-9a-fA-F:.]+)\|(?P<user>[^|\n]+)\|(?P<machine>[^|\n]*)\|[^|\n]+\|"
    r"(?P<pid>\d+)\|connect\|ok\|"
)
_MAX_READ = 4 << 20  # a log that grew more than this since the last look is read from its end
_SMBSTATUS_SECONDS = 5.0


class Logon(msgspec.Struct, frozen=True, kw_only=True):
    """A session that the server accepted."""

    pid: int  # as the server process knows itself
    address: str
    user: str
    machine: str = ""


class AuditLog:
    """Reads what was added to the server's log since the last look."""

    def __init__(self, path: PurePath) -> None:
        self._path = Path(path)
        self._inode = 0
        self._offset = 0

    def news(self) -> Iterator[Logon]:
        """Logons since the last call, oldest first; none when the log is missing."""
        for line in self._added().splitlines():
            found = _CONNECT.match(line)
            if found:
                yield Logon(
                    pid=int(found["pid"]),
                    address=found["address"],
                    user=found["user"],
                    machine=found["machine"],
                )

    def _added(self) -> str:
        try:
            with self._path.open("rb") as log:
                stat = self._path.stat()
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    self._inode, self._offset = stat.st_ino, 0  # rotated by the server
                start = max(self._offset, stat.st_size - _MAX_READ)
                log.seek(start)
                text = log.read(_MAX_READ)
        except OSError:
            return ""
        whole = text[: text.rfind(b"\n") + 1]  # the last line may be half written
        self._offset = start + len(whole)
        return whole.decode(errors="replace")


class _ServerId(msgspec.Struct):
    pid: str


class _Session(msgspec.Struct):
    server_id: _ServerId
    username: str = ""
    remote_machine: str = ""
    hostname: str = ""


class _Status(msgspec.Struct):
    sessions: dict[str, _Session] = {}


_decode = msgspec.json.Decoder(_Status).decode


def logons_by_smbstatus(config: PurePath | None, inside: tuple[str, ...] = ()) -> tuple[Logon, ...]:
    """Every session now, by the server's own tool; empty when it cannot tell."""
    where = ["-s", str(config)] if config else []
    command = [*inside, "smbstatus", *where, "--json", "-p", "-f"]
    try:
        ran = subprocess.run(
            command, capture_output=True, check=True, timeout=_SMBSTATUS_SECONDS
        ).stdout
        sessions = _decode(ran).sessions.values()
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        return ()
    return tuple(
        Logon(
            pid=int(session.server_id.pid),
            address=_address(session.hostname),
            user=session.username,
            machine=session.remote_machine,
        )
        for session in sessions
        if session.server_id.pid.isdecimal()
    )


def _address(hostname: str) -> str:
    # "ipv4:10.0.0.7:41804" or "ipv6:fd00::7:41804"
    return hostname.partition(":")[2].rpartition(":")[0]
