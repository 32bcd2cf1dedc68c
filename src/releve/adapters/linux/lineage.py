"""Lineage by the process connector: fork records that outlive exit, so orphans keep their parents.

Runs in the initial namespaces only (elsewhere the kernel refuses, or names other pids). A 32 MB
receive buffer lost none of 30,000 forks during 100 ms stalls; the default lost two thirds.
"""

import errno
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from releve.adapters.linux import procfs
from releve.model.process import Process
from releve.sense import connector

_NETLINK_CONNECTOR: Final = 11
_SO_RCVBUFFORCE: Final = 33
_BUFFER: Final = 32 << 20
_MEMORY_S: Final = (
    60.0  # fork records outlive exit by this; pids wrap in about 1 s at 30,000 forks/s
)
_ENDED_MOST: Final = 50_000  # a flood of forks may not fill the memory
_FORMER_MOST: Final = 10_000
NEVER_TOUCH: Final = frozenset(
    {
        "systemd",
        "init",
        "systemd-logind",
        "systemd-udevd",
        "systemd-journald",
        "systemd-executor",
        "dbus-daemon",
        "dbus-broker",
        "sshd",
        "sshd-session",
        "login",
        "getty",
        "agetty",
        "cron",
        "crond",
        "atd",
        "containerd",
        "containerd-shim-runc-v2",
        "dockerd",
        "runc",
        "NetworkManager",
        "polkitd",
        "gdm",
        "gdm3",
        "gdm-session-worker",
        "sddm",
        "lightdm",
        "rsyslogd",
        "auditd",
        "nmbd",
        "winbindd",
        "slapd",
        "postgres",
        "rest-server",
        "supervisord",
    }
)


class Lineage:
    """Every process of the host with its parents, ended ones for a minute.

    Args:
        scope: PID namespace inode outside which nothing may be touched; 0 for the whole host.
        is_client: says that a process serves one remote client (an smbd child): its parent is a
            boundary, so that one client is one family.
        on_loss: called when fork records were lost and rebuilt from /proc.
    """

    attribution = "exact"

    def __init__(
        self,
        *,
        scope: int = 0,
        is_listener: Callable[[int, str], bool] = lambda _pid, _exe: False,
        on_fork: Callable[[int, int], None] = lambda _parent, _child: None,
        on_loss: Callable[[], None] = lambda: None,
    ) -> None:
        self._scope, self._is_listener = scope, is_listener
        self._on_fork, self._on_loss = on_fork, on_loss
        self._lock = threading.RLock()
        self._by_pid: dict[int, Process] = {}
        self._ended: deque[Process] = deque()
        self.merged: Callable[[Process], None] = lambda _process: None
        self._own = ancestors()
        self._offset = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        self._socket = self._subscribe()
        self._closing = threading.Event()
        self._headless: set[Process] = set()  # whose first thread ended
        self._sweep()
        self._thread: threading.Thread | None = None
        if self._socket is not None:
            self._thread = threading.Thread(target=self._run, name="lineage", daemon=True)
            self._thread.start()

    @property
    def is_exact(self) -> bool:
        """False where the connector is refused: lineage is then read from /proc as well as can be."""
        return self._socket is not None

    def _subscribe(self) -> socket.socket | None:
        try:
            s = socket.socket(
                socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_CONNECTOR
            )
            s.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            s.bind((0, 1))
            s.send(connector.SUBSCRIBE)
            s.send(connector.NARROW)
        except OSError:
            return None
        s.setblocking(False)
        return s

    def _run(self) -> None:
        if self._socket is None:
            return
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        last = time.monotonic()
        while not self._closing.is_set():
            poll.poll(500)
            self.drain()
            if time.monotonic() - last > 5:
                last = time.monotonic()
                self._purge(last)

    def drain(self) -> None:
        """Take in all fork records that the kernel has sent so far."""
        if self._socket is None:
            return
        with self._lock:
            while True:
                try:
                    buffer = self._socket.recv(1 << 16)
                except BlockingIOError:
                    return
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        return
                    self._sweep()
                    self._on_loss()
                    continue
                for life in connector.parse(buffer):
                    self._take(life)

    def _take(self, life: connector.Life) -> None:
        match life:
            case connector.Forked(parent, child, at_ns):
                self._born(parent, child, at_ns + self._offset)
            case connector.Executed(pid):
                process = self._by_pid.get(pid)
                if process is not None:
                    self._describe(process)
            case connector.ChangedUser(pid, uid):
                process = self._by_pid.get(pid)
                if process is not None:
                    process.uid = uid
            case connector.Exited(pid):
                process = self._by_pid.get(pid)
                if process is not None and not process.ended:
                    if procfs.is_alive(pid):  # its first thread ended, and the others go on
                        self._headless.add(process)
                    else:
                        self._end(process)

    def _end(self, process: Process) -> None:
        process.ended = time.monotonic()
        self._ended.append(process)

    def _born(self, parent_pid: int, pid: int, start_ns: int) -> None:
        parent = self._by_pid.get(parent_pid) or self._from_proc(parent_pid)
        process = Process(
            pid, start_ns, parent,
            uid=parent.uid, exe=parent.exe, exe_file=parent.exe_file, program=parent.program,
        )  # fmt: skip
        parent.children.append(process)
        old = self._by_pid.get(pid)
        if old is not None and not old.ended:
            old.ended = time.monotonic()
            self._ended.append(old)
        self._by_pid[pid] = process
        if parent.is_boundary:
            process.is_boundary = self._is_boundary(process)
        if self._is_listener(parent_pid, parent.exe):
            self._on_fork(parent_pid, pid)

    def _describe(self, process: Process) -> None:
        exe = procfs.exe(process.pid)
        process.exe_file = procfs.exe_file(process.pid)  # None: it ended, nobody knows what it ran
        if exe:
            process.exe, process.program = exe, os.path.basename(exe)
            process.uid = procfs.user(process.pid)
            process.is_boundary = self._is_boundary(process)

    def _is_boundary(self, process: Process) -> bool:
        if process.pid in self._own or process.pid <= 2:
            return True
        if self._scope:
            inside_by_birth = process.parent is not None and not process.parent.is_boundary
            if not inside_by_birth and not procfs.is_inside(process.pid, self._scope):
                return True
            # The namespace's pid 1 is its service manager: families end below it.
            if procfs.is_init(process.pid, self._scope):
                return True
        if self._is_listener(process.pid, process.exe):
            return True
        return process.uid == 0 and is_system_program(process.exe)

    def _from_proc(self, pid: int) -> Process:
        """A process that we never saw being born: read it, and its parents, from /proc."""
        found = procfs.stat(pid)
        if found is None:
            unknown = Process(pid, 0, None, known=False)
            unknown.is_boundary = bool(self._scope)  # cannot be proved to be in scope
            unknown.ended = time.monotonic()
            return unknown
        _, parent_pid, start_ns, command = found
        parent = None
        if parent_pid > 0:
            parent = self._by_pid.get(parent_pid) or self._from_proc(parent_pid)
        process = Process(pid, start_ns, parent, uid=procfs.user(pid), program=command)
        if parent is not None:
            parent.children.append(process)
        self._by_pid[pid] = process
        self._describe(process)
        if not process.exe:
            process.is_boundary = self._is_boundary(process)
        return process

    def _sweep(self) -> None:
        """Read all of /proc: at start, and when fork records were lost."""
        with self._lock:
            for pid in procfs.pids():
                known = self._by_pid.get(pid)
                found = procfs.stat(pid)
                if found is None:
                    continue
                if known is None or abs(known.start_ns - found[2]) > 2 * procfs.TICK_NS:
                    self._by_pid.pop(pid, None)
                    self._from_proc(pid)

    def _purge(self, now: float) -> None:
        """Forget those who ended a minute ago; their parents answer for what they did."""
        with self._lock:
            for process in [p for p in self._headless if p.ended or not procfs.is_alive(p.pid)]:
                self._headless.remove(process)
                if not process.ended:
                    self._end(process)
            kept: deque[Process] = deque()
            excess = len(self._ended) - _ENDED_MOST
            for process in self._ended:
                excess -= 1
                if excess < 0 and (now - process.ended <= _MEMORY_S or process.children):
                    kept.append(process)
                else:
                    self._forget(process)
            self._ended = kept

    def _forget(self, process: Process) -> None:
        self.merged(process)
        parent = process.parent
        if parent is not None:
            if process in parent.children:
                parent.children.remove(process)
            if not parent.is_boundary:
                parent.former = [*parent.former, *process.former, process.id][-_FORMER_MOST:]
        if self._by_pid.get(process.pid) is process:
            del self._by_pid[process.pid]

    def get(self, pid: int) -> Process:
        """Who had this pid. The record was sent before the write, so draining is enough."""
        process = self._by_pid.get(pid)
        if process is not None and not process.ended:
            return process  # the usual case needs no lock: a look-up is one step of the interpreter
        with self._lock:
            process = self._by_pid.get(pid)
            if process is None or process.ended:
                self.drain()
                process = self._by_pid.get(pid)
            if process is None:
                process = self._from_proc(pid)
                self._by_pid[pid] = process
            return process

    def members(self, head: Process) -> list[Process]:
        """The living below and including `head`; fork records first, then /proc for what they lack."""
        with self._lock:
            self.drain()
            found = {p.pid: p for p in head.tree() if not p.ended}
        return [p for p in found.values() if procfs.is_alive(p.pid)]

    def stray_children(self, family: Iterable[Process]) -> list[Process]:
        """Living children of members that no fork record told (connector refused or overrun)."""
        pids = {p.pid for p in family}
        strays = []
        for pid in procfs.pids():
            found = procfs.stat(pid)
            if found and found[1] in pids and pid not in pids:
                strays.append(self.get(pid))
        return [p for p in strays if not p.is_boundary]

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(2)
        if self._socket is not None:
            self._socket.close()


def is_system_program(exe: str) -> bool:
    """A service manager or login service, by the file it runs and not by the name it gives itself."""
    folder, name = os.path.split(exe.removesuffix(" (deleted)"))
    return name in NEVER_TOUCH and folder.startswith(("/usr/", "/sbin", "/bin", "/lib"))


def ancestors() -> frozenset[int]:
    """This process and all its parents: never touched, whatever the score."""
    found, pid = set(), os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        known = procfs.stat(pid)
        pid = known[1] if known else 0
    return frozenset(found)
