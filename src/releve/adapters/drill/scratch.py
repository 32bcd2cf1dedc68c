"""What the scratch servers of a clean room share: a place that they can reach, a user without rights.

A server refuses to run as root: then it runs as somebody who cannot enter the room; so in our own
view of the disks, which nobody else sees, its folder is shown at a place that it can reach.

A dump is a program of its maker: as the scratch server's owner it may start commands (PostgreSQL's
COPY ... TO PROGRAM). So each of its programs runs without network and other processes, and sees
programs and its own folder, nothing else: above all not the socket of a server that really works here.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from releve.adapters.drill import namespace
from releve.adapters.linux import shut

LOAD_S = 6 * 3600.0
_APART = ("--net", "--ipc", "--uts", "--mount", "--pid", "--fork", "--kill-child")
_NAMES = ("/etc/passwd", "/etc/group", "/etc/hosts")  # a server asks who it is, and where


class NoServer(Exception):  # noqa: N818 (an answer, not an error for people)
    """No scratch server could be had; the words say why."""


class ScratchServer(Protocol):
    """Made for one drill, on a socket in its room."""

    def start(self) -> None:
        """Raises: NoServer."""

    def stop(self) -> None: ...


Scratch = TypeVar("Scratch", bound=ScratchServer)


def place_for(
    scratch: Path, name: str, users: Sequence[str], *, is_shut_in: bool
) -> tuple[str, str]:
    """A fresh folder of the room as the server sees it, and the user that it runs as ("": us).

    Raises: NoServer.
    """
    place = scratch / name
    shutil.rmtree(place, ignore_errors=True)  # of an interrupted life
    place.mkdir(mode=0o700)
    if os.geteuid() != 0:
        return str(place), ""
    if not is_shut_in:
        raise NoServer("root's clean room cannot be shown to a server here")
    user = next((one for one in (*users, "nobody") if _is_known(one)), "")
    if not user:
        raise NoServer("there is no user for it")
    os.chown(place, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    # An empty folder that all may enter, in one that only root writes to; others see it empty.
    point = Path(f"/run/releve-drill-{name}")
    try:
        point.mkdir(mode=0o755, exist_ok=True)
        namespace.show_at(str(place), str(point))
    except OSError as error:
        raise NoServer(str(error)) from error
    return str(point), user


def bring(dump: str, reachable: str, user: str) -> None:
    """Copy a dump where the server's user can read it."""
    shutil.copyfile(dump, reachable)
    if user:
        known = pwd.getpwnam(user)
        os.chown(reachable, known.pw_uid, known.pw_gid)


def as_user(command: Sequence[str], user: str, place: str) -> list[str]:
    """The command as that user, shut in with its place; it ends with us: no scratch server stays.

    Who is not root runs it as himself, with no more rights than he has and no less.
    """
    setpriv = shutil.which("setpriv")
    if not user:
        return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else list(command)
    setpriv = setpriv or "/usr/bin/setpriv"
    program = Path(command[0])
    folders = {str(one.parent.parent) for one in (program, program.resolve())}
    ours = {sys.prefix, sys.base_prefix}  # a server may have come as a package of ours
    seen = (folders | ours | {*_NAMES, *_libraries()}) - {"/", "/usr"}
    group = str(pwd.getpwnam(user).pw_gid)
    mask = [f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
    return [
        *(setpriv, "--pdeathsig", "KILL", "--", "unshare", *_APART, "--"),
        *(sys.executable, "-I", str(shut.__file__), *sorted(seen), f"+{place}", "--"),
        *(setpriv, *mask, "--bounding-set=-all", "--inh-caps=-all", "--", *command),
    ]


def _libraries() -> list[str]:
    return [one for one in os.environ.get("LD_LIBRARY_PATH", "").split(":") if one.startswith("/")]


def newest_first(folders: Iterable[Path]) -> list[str]:
    """Folders of versions, by the number that they are named with."""
    return [str(p) for p in sorted(folders, key=lambda p: _number(p.parent.name), reverse=True)]


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    cwd: str | None = None,
    source: BinaryIO | None = None,
) -> subprocess.CompletedProcess[str]:
    """To its end, never asking anybody anything; `source` is what it reads."""
    return subprocess.run(
        command,
        env=environment,
        cwd=cwd,
        stdin=source or subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LOAD_S,
        check=False,
    )


@contextlib.contextmanager
def running(server: Scratch, folder: Path) -> Iterator[Scratch]:
    """A scratch server from its start to its end; nothing of its folder stays. Raises: NoServer."""
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def stop(process: subprocess.Popen[bytes] | None) -> None:
    """End a server that we started."""
    if process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        # It leads a group: what stands before it hears nothing.
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _number(name: str) -> float:
    return float(name) if re.fullmatch(r"\d+(\.\d+)?", name) else 0.0


def _is_known(name: str) -> bool:
    try:
        return bool(pwd.getpwnam(name).pw_uid)
    except KeyError:
        return False
