"""The clients of a Samba server on this machine: learnt when they connect, kept after they go.

Each connection is one smbd process, so the pid that the kernel reports for a write is a client.
A client may connect, write and leave within milliseconds: its process is looked at when it is
born (the guard passes the kernel's fork messages on), not when its write is judged.
"""

import datetime as dt
import queue
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import PurePath
from typing import Self

import msgspec

from releve.adapters.linux import samba_proc
from releve.adapters.linux.samba_names import AuditLog, Logon, logons_by_smbstatus
from releve.flow.clients import Client, unmapped

SMB_PORTS = frozenset({445, 139})
CONFIG = "smb.conf"  # below the box's home
LOG = "log/smbd.log"
_SMBSTATUS_AFTER = 1.5  # seconds that the audit log gets to name the user
_SMBSTATUS_EVERY = 10.0
_MAX_SAID = 4096
_HEARD_BEFORE = 2.0  # seconds by which the log may be faster than the fork message
_MISSED_SECONDS = 60.0  # that a process that went too soon is looked for in the log
_SECOND = 1.0
_FAST = 0.05  # between looks at the log while somebody logs on


class _Record(msgspec.Struct, kw_only=True):
    client: Client
    inner_pid: int
    learnt: float
    ended: float | None = None


class _Birth(msgspec.Struct, frozen=True, kw_only=True):
    """A server process of which a fork message told; it may be gone before its socket is read."""

    pid: int
    starttime: int
    inner_pid: int
    server: int
    noted: float


class Clients:
    """Names the client behind a file server process; see `flow.clients.ClientBook`.

    `home` is the box's folder (its smb.conf and log); None means whatever Samba runs: a box is
    found by its listener's command line, the users of another are asked of smbstatus. Lookups
    never raise and answer from memory, except for a living smbd that nobody told of: it is looked
    at in /proc (1 to 50 ms). `inside`: words before smbstatus for a server in other namespaces.
    """

    def __init__(
        self,
        *,
        home: PurePath | None = None,
        ports: frozenset[int] = SMB_PORTS,
        keep_seconds: float = 600.0,
        poll_seconds: float = 2.0,
        inside: tuple[str, ...] = (),
    ) -> None:
        self._finds = home is None
        # Each server's configuration, with the log that names its users.
        self._logs: dict[PurePath, AuditLog] = {}
        if home is not None:
            self._logs[home / CONFIG] = AuditLog(home / LOG)
        self._inside = inside
        self._ports = ports
        self._keep_seconds = keep_seconds
        self._poll_seconds = poll_seconds
        self._masters: dict[int, tuple[int, frozenset[int]]] = {}  # pid: (starttime, ports)
        self._records: dict[tuple[int, int], _Record] = {}
        self._latest: dict[int, int] = {}  # pid: starttime
        self._unnamed: dict[tuple[int, int], _Record] = {}
        self._missed: dict[tuple[int, int], _Birth] = {}
        # (inner pid, address): who logged on last, and when that was heard
        self._said: dict[tuple[int, str], tuple[Logon, float]] = {}
        self._asked = 0.0
        self._lock = threading.Lock()
        self._births: queue.SimpleQueue[_Birth | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Learn who is connected now, then follow on own threads until `close`."""
        self.poll()
        # Two threads: a client may be gone in milliseconds, and smbstatus takes hundreds.
        for name, loop in (("smb-births", self._follow), ("smb-clients", self._watch)):
            thread = threading.Thread(target=loop, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Stop following; what is known stays readable."""
        self._closing.set()
        self._births.put(None)
        for thread in self._threads:
            thread.join(timeout=10)
        self._threads.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_fork(self, parent_pid: int, pid: int) -> None:
        """Tell of a fork: one look-up in a dict, and two small reads for a listener's child."""
        if parent_pid in self._masters:
            self._births.put(_note(parent_pid, pid))

    def client_of(self, pid: int, starttime: int | None = None) -> Client | None:
        """The client behind `pid`, from memory, else from /proc while the process lives."""
        with self._lock:
            record = self._record(pid, starttime)
        if record is None:
            return self.learn(pid, starttime)
        if not record.client.user:
            self._read_names()
        return record.client

    def is_master(self, pid: int) -> bool:
        """Whether `pid` listens for clients; known at most one poll after it started."""
        return pid in self._masters

    def masters(self) -> tuple[int, ...]:
        """Pids of the listeners."""
        return tuple(self._masters)

    def is_listener(self, pid: int, exe: str) -> bool:
        """`is_master` for a process that may just have started: judged by program and parent.

        A listener's parent is no smbd, and it serves no client itself (an orphan whose listener
        died does). Costs nothing for other programs.
        """
        if pid in self._masters:
            return True
        if PurePath(exe.removesuffix(" (deleted)")).name != "smbd":
            return False
        seen = samba_proc.look(pid)
        if seen is None or seen.dead or not samba_proc.is_roots(pid):
            return False
        if samba_proc.is_server(samba_proc.look(seen.parent)):
            return False
        return not any(port in self._ports for port, _ in samba_proc.sockets(pid).peers)

    def pids_of(self, address: str) -> tuple[int, ...]:
        """Living server processes of that address."""
        wanted = str(unmapped(address))
        with self._lock:
            records = [r for r in self._records.values() if r.client.address == wanted]
        return tuple(r.client.pid for r in records if self._lives(r.client))

    def connected(self) -> tuple[Client, ...]:
        """Who is connected now."""
        with self._lock:
            records = list(self._records.values())
        return tuple(r.client for r in records if self._lives(r.client))

    def learn(self, pid: int, starttime: int | None = None) -> Client | None:
        """Look at the process now; None unless it is an smbd with a client."""
        seen = samba_proc.look(pid)
        if seen is None or seen.dead or not samba_proc.is_server(seen):
            return None
        if starttime is not None and seen.starttime != starttime:
            return None  # the number belongs to another process by now
        if not samba_proc.is_roots_server(seen):
            return None  # it only borrows the name: its "client" could be any machine it likes
        inner_pid = samba_proc.inner_pid(pid)
        server, ports = self._server_of(seen)
        if server == pid:
            return None  # the listener holds a connection for a moment, until its child has it
        held = samba_proc.sockets(pid)
        address = next((remote for port, remote in held.peers if port in ports), None)
        if address is None:
            return None
        client = Client(
            pid=pid,
            starttime=seen.starttime,
            address=address,
            since=dt.datetime.now(dt.UTC),
            server=server,
        )
        return self._keep(client, inner_pid)

    def poll(self) -> None:
        """Look for servers and clients that no fork message told of, and for those who left."""
        for seen in samba_proc.servers():
            with self._lock:
                known = (seen.pid, seen.starttime) in self._records
            if not known:
                self.learn(seen.pid)
        self._forget()
        self._read_names()
        self._ask_names()

    def _follow(self) -> None:
        while (birth := self._births.get()) is not None:
            if self.learn(birth.pid, birth.starttime) is None:
                with self._lock:
                    self._missed[birth.pid, birth.starttime] = birth
                self._read_names()

    def _watch(self) -> None:
        due = time.monotonic() + self._poll_seconds
        while not self._closing.is_set():
            # Names come a few ms after the connection, and soon nobody is there to be asked.
            wait = _FAST if self._nameless() else due - time.monotonic()
            self._closing.wait(min(max(wait, 0.001), _SECOND))
            self._read_names()
            if time.monotonic() >= due:
                self.poll()
                due = time.monotonic() + self._poll_seconds

    def _record(self, pid: int, starttime: int | None) -> _Record | None:
        if starttime is None:
            starttime = self._latest.get(pid)
        return None if starttime is None else self._records.get((pid, starttime))

    def _keep(self, client: Client, inner_pid: int) -> Client:
        record = _Record(client=client, inner_pid=inner_pid, learnt=time.monotonic())
        with self._lock:
            known = self._add(record)
        self._read_names()
        return known.client

    def _add(self, record: _Record) -> _Record:
        key = record.client.pid, record.client.starttime
        known = self._records.setdefault(key, record)
        self._latest[key[0]] = key[1]
        if not known.client.user:
            self._unnamed[key] = known
        return known

    def _server_of(self, seen: samba_proc.Seen) -> tuple[int, frozenset[int]]:
        """The process's listener and the ports on which its clients arrive."""
        parent = samba_proc.look(seen.parent)
        master = parent if parent is not None and samba_proc.is_server(parent) else seen
        known = self._masters.get(master.pid)
        if known is not None and known[0] == master.starttime:
            return master.pid, known[1]
        listens = samba_proc.sockets(master.pid).listens
        if not listens or not samba_proc.is_roots_samba(master.pid):
            return 0, self._ports  # its listener is dead, or it only borrows the name
        self._masters[master.pid] = (master.starttime, listens)
        self._adopt(master.pid)
        return master.pid, listens

    def _adopt(self, server: int) -> None:
        """Without a home, ask the configuration and read the log of every server that runs."""
        config = samba_proc.config_of(server) if self._finds else None
        if config is not None:
            with self._lock:
                self._logs.setdefault(config, AuditLog(config.parent / LOG))

    def _lives(self, client: Client) -> bool:
        seen = samba_proc.look(client.pid)
        return seen is not None and not seen.dead and seen.starttime == client.starttime

    def _forget(self) -> None:
        now = time.monotonic()
        with self._lock:
            records = list(self._records.items())
        for key, record in records:
            if record.ended is None and not self._lives(record.client):
                record.ended = now
                self._said.pop((record.inner_pid, record.client.address), None)
                record.client = msgspec.structs.replace(
                    record.client, ended=dt.datetime.now(dt.UTC)
                )
            if record.ended is not None and now - record.ended > self._keep_seconds:
                with self._lock:
                    del self._records[key]
                    self._unnamed.pop(key, None)
                    if self._latest.get(key[0]) == key[1]:
                        del self._latest[key[0]]
        for key, birth in list(self._missed.items()):
            if now - birth.noted > _MISSED_SECONDS:
                del self._missed[key]
        for pid, (starttime, _) in list(self._masters.items()):
            seen = samba_proc.look(pid)
            if seen is None or seen.dead or seen.starttime != starttime:
                del self._masters[pid]

    def _nameless(self, *, older: bool = False) -> bool:
        """Whether the log still has to name somebody, or (`older`) has failed to."""
        now = time.monotonic()
        with self._lock:
            ages = [
                now - record.learnt for record in self._unnamed.values() if record.ended is None
            ]
        return any((age > _SMBSTATUS_AFTER) is older for age in ages)

    def _read_names(self) -> None:
        with self._lock:
            self._name(tuple(logon for log in self._logs.values() for logon in log.news()))

    def _ask_names(self) -> None:
        """Smbstatus takes 30 to 400 ms: only for those whom the log left without a name."""
        now = time.monotonic()
        if now - self._asked < _SMBSTATUS_EVERY or not self._nameless(older=True):
            return
        self._asked = now
        asked = tuple(self._logs) or (None,)  # None: the system's own
        logons = tuple(
            logon for config in asked for logon in logons_by_smbstatus(config, self._inside)
        )
        with self._lock:
            self._name(logons)

    def _name(self, logons: tuple[Logon, ...]) -> None:
        now = time.monotonic()
        for logon in logons:
            self._said[logon.pid, str(unmapped(logon.address))] = logon, now
        while len(self._said) > _MAX_SAID:
            del self._said[next(iter(self._said))]
        for key, record in list(self._unnamed.items()):
            # The kernel's address must agree; and the first word stays, whatever is written later.
            said = self._said.get((record.inner_pid, record.client.address))
            if said is not None:
                logon = said[0]
                record.client = msgspec.structs.replace(
                    record.client, user=logon.user, machine=logon.machine
                )
                del self._unnamed[key]
        for key, birth in list(self._missed.items()):
            self._find_missed(key, birth)

    def _find_missed(self, key: tuple[int, int], birth: _Birth) -> None:
        """Take the server's word for the address of a process that went too soon.

        Clients cannot write such a line: the server refuses names with control characters or |.
        """
        since = birth.noted - _HEARD_BEFORE
        for (inner_pid, address), (logon, heard) in self._said.items():
            if inner_pid == birth.inner_pid and heard >= since:
                now = dt.datetime.now(dt.UTC)
                client = Client(
                    pid=birth.pid,
                    starttime=birth.starttime,
                    address=address,
                    since=now,
                    ended=now,
                    user=logon.user,
                    machine=logon.machine,
                    server=birth.server,
                )
                self._add(
                    _Record(
                        client=client,
                        inner_pid=inner_pid,
                        learnt=birth.noted,
                        ended=time.monotonic(),
                    )
                )
                del self._missed[key]
                return


def _note(server: int, pid: int) -> _Birth:
    """What is known of a process at once; gone already, its start time stays 0."""
    inner_pid = samba_proc.inner_pid(pid)  # first: without it, no line of the log is found
    seen = samba_proc.look(pid)
    return _Birth(
        pid=pid,
        starttime=seen.starttime if seen else 0,
        inner_pid=inner_pid,
        server=server,
        noted=time.monotonic(),
    )


class SambaControl:
    """Asks the box's own server to let one client go.

    `inside`: words before the command, when the server runs in namespaces of its own.
    """

    def __init__(self, *, home: PurePath, clients: Clients, inside: tuple[str, ...] = ()) -> None:
        self._config = home / CONFIG
        self._clients = clients
        self._inside = inside

    def close(self, client: Client, *, wait_seconds: float = 0.5) -> tuple[int, ...]:
        """Have every process of the client's address end by itself; pids that still live.

        The caller stops those through its one signal function. A frozen process (SIGSTOP)
        cannot obey and is always among them: block the address first, then call this or kill.
        """
        words = ["smbcontrol", "-s", str(self._config), "smbd", "kill-client-ip", client.address]
        command = [*self._inside, *words]
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, capture_output=True, check=True, timeout=5)
        until = time.monotonic() + wait_seconds
        while (left := self._clients.pids_of(client.address)) and time.monotonic() < until:
            time.sleep(0.01)
        return left
