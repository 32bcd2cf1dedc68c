"""What /proc tells about the processes of a Samba server: masters, children, their client.

Nothing here opens a file of a protected folder, so the guard's readers may call it.
"""

import ipaddress
import sys
from pathlib import Path, PurePath

import msgspec

from releve.flow.clients import unmapped

_LISTEN = 0x0A
_PROC = Path("/proc")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One process, as /proc shows it at this moment."""

    pid: int
    parent: int
    starttime: int
    name: str
    dead: bool


class Sockets(msgspec.Struct, frozen=True, kw_only=True):
    """TCP sockets that a process holds."""

    listens: frozenset[int]  # local ports
    peers: tuple[tuple[int, str], ...]  # (local port, remote address)


def look(pid: int) -> Seen | None:
    """The process's identity; None when there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name is in parentheses and may hold spaces or parentheses itself: cut at the last one.
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return Seen(
        pid=pid,
        name=head.partition("(")[2],
        dead=fields[0] in {"Z", "X"},
        parent=int(fields[1]),
        starttime=int(fields[19]),
    )


def is_server(seen: Seen | None) -> bool:
    """Whether it calls itself smbd; helpers such as smbd-notifyd hold no client and are not."""
    # 4.17 says "smbd", later ones "smbd[10.0.0.1]" for a child.
    return seen is not None and (seen.name == "smbd" or seen.name.startswith("smbd["))


def servers() -> tuple[Seen, ...]:
    """Every living smbd of the machine."""
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())
    found = (look(pid) for pid in pids)
    return tuple(seen for seen in found if seen is not None and not seen.dead and is_server(seen))


def is_roots(pid: int) -> bool:
    """Whether root started it, by its real user, of this namespace.

    A program that anybody may start as root (sudo) keeps its starter's real one.
    """
    try:
        lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.split()[:2] == ["Uid:", "0"] for line in lines)


def is_roots_samba(pid: int) -> bool:
    """Whether it is Samba's program, and root's.

    By its file: sudo called by a link is named as anybody likes, and root's while it waits.
    """
    try:
        program = str((_PROC / str(pid) / "exe").readlink())
    except OSError:
        return False
    return program.removesuffix(" (deleted)").endswith("/smbd") and is_roots(pid)


def is_roots_server(seen: Seen) -> bool:
    """Whether root's own server it is: anybody may call a program smbd, and seem to serve a client.

    While it works for a person it has that person's real user as well; its listener stays root's,
    and both run the same program.
    """
    if is_roots_samba(seen.pid):
        return True
    parent = look(seen.parent)
    if parent is None or not is_server(parent) or not is_roots_samba(parent.pid):
        return False
    try:
        # A path would be what its own mounts make of it.
        return (_PROC / str(parent.pid) / "exe").samefile(_PROC / str(seen.pid) / "exe")
    except OSError:
        return False


def config_of(pid: int) -> PurePath | None:
    """The configuration that a server was started with; None when it took the system's."""
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    for word, following in zip(words, [*words[1:], b""], strict=True):
        name, _, value = word.partition(b"=")
        if name == b"--configfile" and value:
            return PurePath(value.decode(errors="surrogateescape"))
        if word in {b"-s", b"--configfile"} and following:
            return PurePath(following.decode(errors="surrogateescape"))
    return None


def sockets(pid: int) -> Sockets:
    """The TCP sockets of the process, from its own network namespace."""
    held = _held(pid)
    listens: set[int] = set()
    peers: list[tuple[int, str]] = []
    for table in ("tcp", "tcp6"):
        for port, remote, state in _rows(pid, table, held):
            if state == _LISTEN:
                listens.add(port)
            elif not remote.is_unspecified:
                peers.append((port, str(unmapped(str(remote)))))
    return Sockets(listens=frozenset(listens), peers=tuple(peers))


def inner_pid(pid: int) -> int:
    """The number by which the process knows itself (its own PID namespace); `pid` if gone."""
    try:
        lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return pid
    numbers = next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [])
    return int(numbers[-1]) if numbers else pid


def _held(pid: int) -> frozenset[str]:
    """Inode numbers of the sockets that the process has open."""
    folder = _PROC / str(pid) / "fd"
    inodes: set[str] = set()
    try:
        descriptors = list(folder.iterdir())
    except OSError:
        return frozenset()
    for descriptor in descriptors:
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue  # closed between the listing and now
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return frozenset(inodes)


_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def _rows(pid: int, table: str, held: frozenset[str]) -> list[tuple[int, _Ip, int]]:
    try:
        text = (_PROC / str(pid) / "net" / table).read_text()
    except OSError:
        return []
    rows = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if fields[9] in held:
            port = int(fields[1].rpartition(":")[2], 16)
            rows.append((port, _address(fields[2].partition(":")[0]), int(fields[3], 16)))
    return rows


def _address(text: str) -> _Ip:
    # The kernel prints each 32-bit word of an address in the machine's own byte order.
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))
