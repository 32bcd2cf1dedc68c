"""Opens the folder over SMB with the box's hardened server, and keeps who opened what."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import msgspec

from releve.adapters.linux import samba_proc
from releve.apps.box.box import Box, program
from releve.apps.box.errors import SambaMissingError, SambaRefusedError
from releve.apps.box.home import Home
from releve.apps.box.smbconf import BoxConfig, Share
from releve.apps.recover.opened import Opened, OpenedJournal
from releve.apps.recover.state import Asked, RecoveryHome
from releve.flow.recovery.errors import SharingFailedError

_START_S = 15.0
_HOME_MOST, _LINKS = 60, Path("/run/releve")
_POLITE_S = 3.0
_MARK = b"|create_file|"
_HEAD = re.compile(rb"\[(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)")
_READ_DATA, _WRITE_DATA, _APPEND_DATA, _DELETE = 0x1, 0x2, 0x4, 0x10000


def _short(home: Path) -> Path:
    """A way to the same folder that leaves room for the server's sockets (108 bytes, unix(7))."""
    if len(os.fsencode(home)) <= _HOME_MOST:
        return home
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    link = _LINKS / f"partage-{name}"
    _LINKS.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not link.is_symlink():
        with contextlib.suppress(FileExistsError):
            link.symlink_to(home)
    return link


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far the server's log was read."""

    inode: int = 0
    offset: int = 0


class Sharing:
    """The file server of one recovery, with its own state below the recovery's."""

    def __init__(self, home: RecoveryHome, asked: Asked) -> None:
        self._home, self._asked, self._share = home, asked, asked.share
        self._box_home = Home(_short(home.path / "box"))
        self._log = home.path / "box" / "log" / "smbd.log"
        self._opened = OpenedJournal(home)
        self._recent: dict[tuple[str, str, str], float] = {}

    def start(self) -> None:
        """Serve; harmless when it serves already.

        Raises: SharingFailedError.
        """
        if self._share is None or self.lives():
            return
        try:
            self._configure()
            words = ["--foreground", "--no-process-group"]
            with (self._home.path / "smbd.out").open("ab") as out:
                begun = subprocess.Popen(
                    [program("smbd"), *words, f"--configfile={self._box_home.smb_conf}"],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    cwd="/",
                    start_new_session=True,  # smbd signals its whole group when it ends
                )
        except (SambaMissingError, SambaRefusedError) as error:
            raise SharingFailedError(str(error)) from error
        until = time.monotonic() + _START_S
        while not self._listens():
            if begun.poll() is not None or time.monotonic() > until:
                raise SharingFailedError(f"see {self._log}")
            time.sleep(0.02)

    def lives(self) -> bool:
        """Whether a listener of ours runs; dead children of ours are reaped."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        return self._listens()

    def stop(self) -> None:
        """End the server and every connection: by its configuration's name, so nobody else's."""
        self.follow()
        for number, wait_s in ((signal.SIGTERM, _POLITE_S), (signal.SIGKILL, _POLITE_S)):
            for pid in self._ours():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            until = time.monotonic() + wait_s
            while self._ours() and time.monotonic() < until:
                self.lives()
                time.sleep(0.02)

    def follow(self) -> None:
        """Keep what was opened since the last time; a killed driver misses nothing of the log."""
        mark = self._home.read("opened.mark", Mark) or Mark()
        kept: list[Opened] = []
        old = self._log.with_name(self._log.name + ".old")
        if mark.inode and _inode(old) == mark.inode:  # the server began a new log in between
            mark = self._take(old, mark, kept)
            mark = Mark(inode=_inode(self._log))
        if _inode(self._log) != mark.inode:
            mark = Mark(inode=_inode(self._log))
        after = self._take(self._log, mark, kept)
        self._opened.add(kept)
        if after != mark:
            self._home.keep("opened.mark", after)

    def _take(self, log: Path, mark: Mark, kept: list[Opened]) -> Mark:
        try:
            with log.open("rb") as file:
                file.seek(mark.offset)
                said = file.read()
        except OSError:
            return mark
        whole = said.rpartition(b"\n")[0]
        at = ""
        for line in whole.splitlines():
            if (head := _HEAD.match(line)) is not None:
                at = _utc(head[1].decode())
            elif (opened := self._understood(line, at)) is not None:
                kept.append(opened)
        step = len(whole) + 1 if whole else 0
        return Mark(inode=mark.inode, offset=mark.offset + step)

    def _understood(self, line: bytes, when: str) -> Opened | None:
        """One line of the server's audit; clients cannot write `|` or line ends into a name."""
        if _MARK not in line:
            return None
        words = line.decode(errors="replace").strip().split("|")
        at = words.index("create_file")
        if at < 4 or len(words) < at + 6 or words[at + 3] != "file":
            return None
        address, user, path = words[at - 5], words[at - 4], words[-1]
        how = _how(int(words[at + 2], 16)) if words[at + 1] == "ok" else "refused"
        if not how or self._is_repeated(user, path, how):
            return None
        path = path.removeprefix(f"{self._asked.target}/")
        return Opened(at=when, address=address, user=user, path=path, how=how)

    def _is_repeated(self, user: str, path: str, how: str) -> bool:
        """Programs open a file many times in a moment: one line a minute is enough."""
        now, key = time.monotonic(), (user, path, how)
        is_new = now - self._recent.get(key, -100.0) > 60.0
        if is_new:
            self._recent[key] = now
            if len(self._recent) > 10_000:
                self._recent.clear()
        return not is_new

    def _configure(self) -> None:
        share = self._share
        if share is None:
            return
        self._box_home.make()
        entry = Share(
            name=share.name, path=self._asked.target, group="", users=share.users, as_found=True
        )
        config = BoxConfig(
            shares=(entry,),
            interfaces=share.interfaces,
            port=share.port,
            audit_opens=True,
            must_encrypt=bool(self._asked.structure),
        )
        box = Box(self._box_home)
        if share.people_of and not self._box_home.passdb.exists():
            box.configure(lambda _: config)  # Samba's tools find no people without it
            self._people(share.people_of)
        box.configure(lambda _: config)

    def _people(self, box: str) -> None:
        """People keep their passwords: those of the machine's own box come along."""
        source = Home(Path(box))
        for name in ("passdb.tdb", "secrets.tdb"):
            file = source.passdb.with_name(name)
            if file.exists():
                shutil.copy2(file, self._box_home.passdb.with_name(name))

    def _ours(self) -> list[int]:
        word = f"--configfile={self._box_home.smb_conf}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if word in words and samba_proc.is_roots(int(entry.name)):
                        found.append(int(entry.name))
        return found

    def _listens(self) -> bool:
        return any(samba_proc.sockets(pid).listens for pid in self._ours())


def _how(mask: int) -> str:
    if mask & (_WRITE_DATA | _APPEND_DATA):
        return "write"
    if mask & _DELETE:
        return "delete"
    return "read" if mask & _READ_DATA else ""


def _utc(said: str) -> str:
    """The server's own time of an entry; it writes the machine's local time."""
    moment = time.mktime(time.strptime(said, "%Y/%m/%d %H:%M:%S"))
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
