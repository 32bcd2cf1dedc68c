"""A practice's network in small: a file server and two client machines in network namespaces.

For simulations and tests: `with Lab(Path("/srv/essai")) as lab:` shares the folder by the box's
own commands, and gives words to run on the clients. Real Samba, real kernel, real addresses, but
nothing of this machine's network, accounts or Samba is touched: people exist only in the
namespaces (`/etc/netns/NAME/passwd`, which `ip netns exec` lays over /etc/passwd). Everything
is named `rlv-...`; `Lab.sweep()` clears away what a crash left.

Only processes that the lab started are ever signalled: the server, which ends with its children.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from releve.adapters.linux import samba_proc
from releve.apps.box.errors import SambaRefusedError
from releve.model.errors import ReleveError

PREFIX = "rlv-"
_NETNS = Path("/etc/netns")
_STAMPS = Path("/run/releve-labs")  # whose lab a namespace is; emptied at a restart, as they are
_SECONDS = 60.0
_PASSWORD = 18  # random bytes


class LabError(ReleveError):
    """The small network for simulations could not be made."""

    status = 75
    remedy = "It needs root, iproute2, Samba and smbclient; `python -m releve.apps.box.lab` sweeps."

    def __init__(self, why: str) -> None:
        super().__init__(f"The lab could not be set up: {why}")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One machine of the lab: a network namespace with an address."""

    netns: str
    address: str

    def run(self, *words: str) -> list[str]:
        """Words that run a program on this machine (as root: `ip netns exec`)."""
        return ["ip", "netns", "exec", self.netns, *words]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A client machine with the person who works at it."""

    name: str
    uid: int
    machine: Machine
    login: Path  # smbclient's authentication file
    server: str
    share: str

    def smbclient(self, *commands: str) -> list[str]:
        """Words that run smbclient commands on this machine, as this person.

        Without commands, smbclient reads them from standard input, one a line, in one connection.
        """
        words = ["smbclient", "-A", str(self.login), f"//{self.server}/{self.share}"]
        return self.machine.run(*words, *(["-c", "; ".join(commands)] if commands else []))


class Lab:
    """Server and clients; a context manager. `home` is made in a temporary folder if not given.

    `folder` is prepared for the share's group (group and group rights change, owners stay)
    before `__enter__` returns: take snapshots of it afterwards.

    The server runs in a PID namespace of its own, or in that of `scope_pid`: a guard that is told
    `--scope lab.pid` signals nothing outside it. `wrap`: words before the server's command.
    """

    NAMES = ("accueil", "dr-martin")
    GROUP = "releve-share"
    FIRST_UID = 41001
    GID = 41000

    def __init__(
        self,
        folder: Path,
        *,
        share: str = "cabinet",
        home: Path | None = None,
        scope_pid: int | None = None,
        wrap: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.share = share
        self.id = secrets.token_hex(3)  # an interface's or namespace's name stays short
        self._made = Path(tempfile.gettempdir()) / f"{PREFIX}{self.id}"
        self.home = home or self._made / "box"
        net = f"10.{secrets.randbelow(60) + 190}.{secrets.randbelow(250)}"
        self.server = Machine(netns=f"{PREFIX}{self.id}-srv", address=f"{net}.1")
        machines = (
            Machine(netns=f"{PREFIX}{self.id}-c{number}", address=f"{net}.{11 + number}")
            for number in range(len(self.NAMES))
        )
        self.people = tuple(
            Person(
                name=name,
                uid=self.FIRST_UID + number,
                machine=machine,
                login=self._made / f"{name}.auth",
                server=self.server.address,
                share=share,
            )
            for number, (name, machine) in enumerate(zip(self.NAMES, machines, strict=True))
        )
        self._scope_pid = scope_pid
        self._wrap = wrap
        self._wrapper: subprocess.Popen[bytes] | None = None
        self._smbd: samba_proc.Seen | None = None

    @property
    def pid(self) -> int:
        """The file server's listener, as it is numbered here."""
        if self._smbd is None:
            raise LabError("it is not running")
        return self._smbd.pid

    @property
    def inside(self) -> list[str]:
        """Words that run a program beside the server: its processes, network and accounts."""
        return ["nsenter", "--target", str(self.pid), "--pid", "--mount", "--net"]

    def __enter__(self) -> Self:
        try:
            self._made.mkdir(mode=0o700)
            self._make_network()
            self._make_people()
            self._make_share()
            self._serve()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def releve(self, *words: str, typed: str | None = None) -> str:
        """Run a `releve` command on the server machine, beside the server once it runs; its stdout.

        Raises: SambaRefusedError with what it said.
        """
        command = [sys.executable, "-m", "releve.apps.cli.main", *words]
        where = self.inside if self._smbd else self.server.run()
        return _run([*where, *command], typed=typed)

    def close(self) -> None:
        """End the server and take everything away; repeating it is harmless."""
        if self._smbd is not None:
            _end(self._smbd)
            self._smbd = None
        if self._wrapper is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._wrapper.wait(timeout=10)
            if self._wrapper.poll() is None:
                self._wrapper.kill()  # `--kill-child`: the server goes with it
                self._wrapper.wait(timeout=10)
            self._wrapper = None
        for machine in (self.server, *(person.machine for person in self.people)):
            _remove(machine.netns)
        shutil.rmtree(self._made, ignore_errors=True)

    @staticmethod
    def sweep() -> tuple[str, ...]:
        """Clear away labs whose process is gone; what was removed.

        Each namespace has a stamp with its lab's process, so a lab that runs now is left alone.
        """
        removed = []
        for name in _namespaces():
            if not _lives(_STAMPS / name):
                _stop_servers(name)
                _remove(name)
                removed.append(name)
        return tuple(removed)

    def _make_network(self) -> None:
        server = self.server.netns
        for machine in (self.server, *(person.machine for person in self.people)):
            _STAMPS.mkdir(exist_ok=True)
            mine = samba_proc.look(os.getpid())
            stamp = f"{os.getpid()} {mine.starttime if mine else 0} {self._made}\n"
            (_STAMPS / machine.netns).write_text(stamp)
            (_NETNS / machine.netns).mkdir(parents=True)
            _ip("netns", "add", machine.netns)
            _ip("-n", machine.netns, "link", "set", "lo", "up")
        _ip("-n", server, "link", "add", "br0", "type", "bridge")
        _ip("-n", server, "addr", "add", f"{self.server.address}/24", "dev", "br0")
        _ip("-n", server, "link", "set", "br0", "up")
        for number, person in enumerate(self.people):
            client = person.machine.netns
            ends = ["type", "veth", "peer", "name", "eth0", "netns", client]
            _ip("-n", server, "link", "add", f"port{number}", *ends)
            _ip("-n", server, "link", "set", f"port{number}", "master", "br0", "up")
            _ip("-n", client, "addr", "add", f"{person.machine.address}/24", "dev", "eth0")
            _ip("-n", client, "link", "set", "eth0", "up")

    def _make_people(self) -> None:
        below = _NETNS / self.server.netns
        accounts = Path("/etc/passwd").read_text()
        groups = Path("/etc/group").read_text() + f"{self.GROUP}:x:{self.GID}:\n"
        for person in self.people:
            accounts += f"{person.name}:x:{person.uid}:{self.GID}::/nonexistent:/bin/false\n"
        (below / "passwd").write_text(accounts)
        (below / "group").write_text(groups)
        os.chown(self.folder, -1, self.GID)

    def _make_share(self) -> None:
        home = str(self.home)
        for person in self.people:
            password = secrets.token_urlsafe(_PASSWORD)
            self.releve("share", "user", "add", person.name, "--home", home, typed=password + "\n")
            person.login.touch(mode=0o600)
            person.login.write_text(f"username = {person.name}\npassword = {password}\n")
        words = [word for person in self.people for word in ("--user", person.name)]
        folder = str(self.folder)
        self.releve("share", "add", self.share, folder, "--prepare", "--home", home, *words)

    def _serve(self) -> None:
        command = [*self._wrap, sys.executable, "-m", "releve.apps.cli.main", "share", "serve"]
        if self._scope_pid is None:
            scope = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        else:
            scope = ["nsenter", "--target", str(self._scope_pid), "--pid"]
        self._wrapper = subprocess.Popen(
            [*scope, *self.server.run(*command, "--home", str(self.home))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _SECONDS
        while (child := _only_child(self._wrapper.pid)) is None or not _listens(child):
            if self._wrapper.poll() is not None or time.monotonic() > until:
                raise LabError(f"the file server did not start (see {self.home}/log)")
            time.sleep(0.02)
        self._smbd = child


def _only_child(pid: int) -> samba_proc.Seen | None:
    """The process that the wrapper started: it becomes the server, keeping its number."""
    with contextlib.suppress(OSError, IndexError):
        return samba_proc.look(int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]))
    return None


def _listens(seen: samba_proc.Seen) -> bool:
    return samba_proc.is_server(seen) and bool(samba_proc.sockets(seen.pid).listens)


def _end(seen: samba_proc.Seen) -> None:
    """Ask this very process to end; by pidfd, so that no other can be meant."""
    with contextlib.suppress(ProcessLookupError):
        held = os.pidfd_open(seen.pid)
        try:
            now = samba_proc.look(seen.pid)
            if now is not None and now.starttime == seen.starttime:
                signal.pidfd_send_signal(held, signal.SIGTERM)
        finally:
            os.close(held)


def _ip(*words: str) -> None:
    _run(["ip", *words])


def _run(command: list[str], typed: str | None = None) -> str:
    ran = subprocess.run(
        command, input=typed, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if ran.returncode != 0:
        raise SambaRefusedError(" ".join(command[:6]), ran.stderr.strip())
    return ran.stdout


def _namespaces() -> Iterator[str]:
    if _STAMPS.is_dir():
        yield from sorted(stamp.name for stamp in _STAMPS.iterdir())


def _lives(owner: Path) -> bool:
    pid, starttime, _ = owner.read_text().split(" ", 2)
    seen = samba_proc.look(int(pid))
    return seen is not None and not seen.dead and seen.starttime == int(starttime)


def _stop_servers(netns: str) -> None:
    """End file servers of a dead lab: those inside its namespace, and by pidfd."""
    if not (Path("/run/netns") / netns).exists():
        return
    for line in _run(["ip", "netns", "pids", netns]).split():
        seen = samba_proc.look(int(line))
        if seen is not None and samba_proc.is_server(seen):
            _end(seen)


def _remove(netns: str) -> None:
    stamp = _STAMPS / netns
    if (Path("/run/netns") / netns).exists():
        subprocess.run(["ip", "netns", "del", netns], capture_output=True, check=False)
    shutil.rmtree(_NETNS / netns, ignore_errors=True)
    if stamp.exists():
        made = Path(stamp.read_text().split(" ", 2)[2].strip())
        if made.name.startswith(PREFIX):
            shutil.rmtree(made, ignore_errors=True)
        stamp.unlink()  # last, so that a sweep that is cut short is taken up again
    for parent in (_NETNS, _STAMPS):
        with contextlib.suppress(OSError):
            parent.rmdir()  # only if it is empty


if __name__ == "__main__":
    for name in Lab.sweep():
        sys.stdout.write(f"removed {name}\n")
