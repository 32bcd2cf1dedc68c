"""The box as a file server: shares and people added, the server run in the foreground."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from releve.adapters.linux import samba_proc
from releve.apps.box.errors import (
    BoxRootError,
    SambaMissingError,
    SambaRefusedError,
    ShareUserError,
    UnknownShareError,
)
from releve.apps.box.folders import check_folder, check_name, group_of, prepare
from releve.apps.box.home import Home
from releve.apps.box.smbconf import BoxConfig, Share, render

_SHORTEST_PASSWORD = 10
_USER = re.compile(r"[a-z][a-z0-9._-]{0,30}")
_SECONDS = 60.0
# A brute force is slowed; people locked out by it are let in again soon, for care goes on.
_POLICY = {"min password length": "10", "bad lockout attempt": "20", "lockout duration": "5"}


def program(name: str) -> str:
    """Where a program of Samba's is.

    Raises: SambaMissingError.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise SambaMissingError(name)
    return found


class Box:
    """One file server with its own state; nothing of the system's Samba is read or written."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def add_share(
        self, name: str, path: Path, *, users: tuple[str, ...] = (), give: bool = False
    ) -> Share:
        """Share the folder and put it on the guard's list; `give` prepares its rights first.

        Raises: ShareNameError, UnsuitableFolderError, FolderAccessError, ShareUserError,
        SambaMissingError, SambaRefusedError.
        """
        program("smbd")
        check_name(name)
        self.home.make()
        config = self.home.config()
        others = tuple(share for share in config.shares if share.name.lower() != name.lower())
        folder = check_folder(path, self.home.path, others)
        for user in users:
            _account(user)
        if give:
            prepare(folder)
        share = Share(name=name, path=str(folder), group=group_of(folder), users=users)
        self._keep(msgspec.structs.replace(config, shares=(*others, share)))
        return share

    def remove_share(self, name: str) -> Share:
        """Stop sharing; the folder and its files stay.

        Raises: UnknownShareError.
        """
        config = self.home.config()
        share = next((s for s in config.shares if s.name.lower() == name.lower()), None)
        if share is None:
            raise UnknownShareError(name)
        left = tuple(s for s in config.shares if s is not share)
        self._keep(msgspec.structs.replace(config, shares=left))
        self._tell("close-share", share.name)
        return share

    def add_user(self, name: str, password: str) -> bool:
        """Let the person in, or change the password; True if an account had to be made.

        The account on the machine has no shell, no home and no password of its own.

        Raises: ShareUserError, SambaMissingError, SambaRefusedError.
        """
        if not _USER.fullmatch(name):
            raise ShareUserError(name, "not a possible name")
        if len(password) < _SHORTEST_PASSWORD or not password.isprintable():
            raise ShareUserError(name, f"the password is shorter than {_SHORTEST_PASSWORD}")
        self.home.make()
        smbpasswd = program("smbpasswd")
        is_first = not self.home.passdb.exists()
        if is_first:
            self._keep(self.home.config())
        made = _make_account(name)
        # On standard input: the command line of a process is everybody's to read.
        words = ["-c", str(self.home.smb_conf), "-s", "-a", name]
        self._run(smbpasswd, *words, typed=f"{password}\n{password}\n")
        for policy, value in _POLICY.items() if is_first else ():
            self._run("pdbedit", "-s", str(self.home.smb_conf), "-P", policy, "-C", value)
        self._keep(self.home.config())
        return made

    def remove_user(self, name: str) -> None:
        """Let the person in no more; the account stays, because files belong to it.

        Raises: ShareUserError, SambaRefusedError.
        """
        if name not in self.users():
            raise ShareUserError(name, "not a user of the box")
        self._run("pdbedit", "-s", str(self.home.smb_conf), "-x", "-u", name)
        config = self.home.config()
        self._keep(config)
        for share in config.shares:
            self._tell("close-denied-share", share.name)

    def users(self) -> tuple[str, ...]:
        """Who may log on.

        Raises: BoxRootError.
        """
        if os.geteuid() != 0:
            raise BoxRootError
        if not self.home.passdb.exists():
            return ()
        listed = self._run("pdbedit", "-s", str(self.home.smb_conf), "-L")
        return tuple(sorted(line.partition(":")[0] for line in listed.splitlines() if ":" in line))

    def configure(self, change: Callable[[BoxConfig], BoxConfig]) -> BoxConfig:
        """Keep a changed configuration.

        Raises: SambaRefusedError.
        """
        self.home.make()
        config = change(self.home.config())
        self._keep(config)
        return config

    def serve(self, *, config: BoxConfig | None = None) -> NoReturn:
        """Become the file server: this process is smbd from here on, in the foreground.

        Raises: UnknownShareError when there is nothing to serve, SambaMissingError,
        SambaRefusedError.
        """
        smbd = program("smbd")
        self.home.make()
        config = config or self.home.config()
        if not config.shares:
            raise UnknownShareError("")
        self._keep(config)
        words = ["--foreground", "--no-process-group", f"--configfile={self.home.smb_conf}"]
        _lead_own_group()
        os.execv(smbd, [smbd, *words])  # noqa: S606 (no shell is meant)

    def running(self) -> int | None:
        """The pid of this box's server, seen from here; None when it does not run."""
        word = f"--configfile={self.home.smb_conf}".encode()
        for seen in samba_proc.servers():
            try:
                words = Path(f"/proc/{seen.pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if word in words and samba_proc.sockets(seen.pid).listens:
                return seen.pid
        return None

    def _keep(self, config: BoxConfig) -> None:
        text = render(config, self.home.path, self.users())
        self._check(text)
        self.home.save(config, text)
        self._tell("reload-config")

    def _tell(self, *words: str) -> None:
        """Pass a word to the running server; it also looks by itself within a minute."""
        if self.running() is not None:
            with suppress(SambaRefusedError):
                self._run("smbcontrol", "-s", str(self.home.smb_conf), "smbd", *words)

    def _check(self, text: str) -> None:
        """Have Samba read it before it replaces the good one."""
        with tempfile.NamedTemporaryFile("w", suffix=".conf", dir=self.home.path) as draft:
            draft.write(text)
            draft.flush()
            said = self._run("testparm", "-s", draft.name)
        missing = [word for word in ("server signing", "server smb encrypt") if word not in said]
        if missing:
            raise SambaRefusedError("testparm", f"no {missing[0]} in what it understood")

    def _run(self, name: str, *words: str, typed: str | None = None) -> str:
        command = [program(name), *words]
        ran = subprocess.run(
            command, input=typed, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        unknown = "Unknown parameter" in ran.stderr
        if ran.returncode != 0 or unknown:
            lines = [line for line in ran.stderr.splitlines() if line.strip()]
            raise SambaRefusedError(Path(name).name, lines[-1] if lines else "no reason given")
        return ran.stdout


def _lead_own_group() -> None:
    """Leave the caller's process group, and take the terminal along if there is one.

    When smbd's master is told to end, it signals its whole process group: sharing the group of
    an agent, a test or a shell, it would end them too (measured: it ended our shell).
    """
    if os.getpgrp() == os.getpid():
        return
    on_terminal = sys.stdin.isatty() and os.tcgetpgrp(0) == os.getpgrp()
    os.setpgid(0, 0)
    if on_terminal:  # so that Ctrl-C still arrives
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)


def _account(name: str) -> pwd.struct_passwd:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ShareUserError(name, "unknown: `releve share user add` comes first") from None
    if found.pw_uid == 0:
        raise ShareUserError(name, "root does not share files")
    return found


def _make_account(name: str) -> bool:
    try:
        _account(name)
    except ShareUserError:
        if name == "root":
            raise
    else:
        return False
    words = ["--system", "--no-create-home", "--home-dir", "/nonexistent", "--user-group"]
    words += ["--shell", "/usr/sbin/nologin", "--comment", "Releve", name]
    ran = subprocess.run(["useradd", *words], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise ShareUserError(name, ran.stderr.strip())
    return True
