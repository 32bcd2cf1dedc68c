"""This host's isolation wired up: its record, the notice to the people here, the tidying process.

The kernel ends the cut by itself (see `NftIsolator`); the small detached process only takes the
notice and the empty table away at that moment. If it is killed, the next `releve isolate
--status`, `--renew` or `releve release` does that.
"""

import datetime as dt
import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from releve.adapters.durable import write
from releve.adapters.linux import samba_proc
from releve.adapters.linux.nft import NftIsolator
from releve.apps.box.home import read
from releve.apps.box.smbconf import BoxConfig
from releve.flow.isolation import HostIsolation, IsolationRecord

RECORD = "isolation.json"
DEAD_MAN = "isolation-dead-man.json"
LOG = "isolation.log"
# Shown by pam_motd at every login; /run is emptied at a restart, as the kernel's rules are.
MOTD = Path("/run/motd.d/10-releve-isolation")
_POLL_SECONDS = 1.0


class HostConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`HOME/host.json`: what this machine is for, and where its server is."""

    care_role: str = ""  # "imagerie", "laboratoire", ...: cut only in the name of a person
    servers: tuple[str, ...] = ()  # ADDRESS:PORT or NAME:PORT


class DeadMan(msgspec.Struct, frozen=True, kw_only=True):
    """The tidying process, so that there is only one."""

    pid: int
    starttime: int


class FileRecords:
    """The record in `HOME/isolation.json`."""

    def __init__(self, home: Path) -> None:
        self._path = home / RECORD

    def load(self) -> IsolationRecord | None:
        """The record, or None.

        Raises: BoxFileError.
        """
        return read(self._path, IsolationRecord)

    def save(self, record: IsolationRecord) -> None:
        """Keep it durably before returning."""
        write(self._path, msgspec.json.format(msgspec.json.encode(record)))

    def clear(self) -> None:
        """Forget it; repeating it is harmless."""
        self._path.unlink(missing_ok=True)


class HostNotice:
    """A message at login and on open terminals, and a log that stays."""

    def __init__(self, *, motd: Path, log: Path, wall: bool) -> None:
        self._motd = motd
        self._log = log
        self._wall = wall

    def show(self, record: IsolationRecord) -> None:
        """Say it in both languages, with the undo."""
        text = message(record)
        self._motd.parent.mkdir(parents=True, exist_ok=True)
        self._motd.write_text(text)
        self._append("isolated", record)
        self._tell(text)

    def hide(self, why: str) -> None:
        """Take the message away and log why."""
        shown = self._motd.exists()
        self._motd.unlink(missing_ok=True)
        if shown:
            self._append("released", {"why": why})
            self._tell("Relève : cette machine n'est plus isolée. / No longer isolated.\n")

    def _append(self, event: str, facts: object) -> None:
        line = {"at": dt.datetime.now(dt.UTC), "event": f"host_{event}", "facts": facts}
        with self._log.open("ab") as log:
            log.write(msgspec.json.encode(line) + b"\n")

    def _tell(self, text: str) -> None:
        if self._wall and shutil.which("wall"):
            subprocess.run(["wall", "-n"], input=text.encode(), check=False, timeout=10)


def message(record: IsolationRecord) -> str:
    """What a person at the machine reads."""
    until = record.until.astimezone().strftime("%d/%m/%Y %H:%M")
    reason = record.reason or "non précisé / not given"
    links = ", ".join(f"{s.address}:{s.port}" for s in record.servers) or "aucun / none"
    lines = [
        "*** Relève : cette machine est ISOLÉE du réseau ***",
        f"Motif : {reason}",
        f"Fin automatique : {until}, sauf prolongation. Lien gardé : {links}",
        "Lever maintenant (root) : releve release",
        *([f"Accord soins : {record.approved_by}"] if record.approved_by else []),
        "This machine is isolated from the network; it ends by itself unless it is renewed.",
        "Undo now (root): releve release",
    ]
    return "\n".join(lines) + "\n"


def care_role(home: Path) -> str:
    """The care that this machine carries, "" if none.

    A file server carries some whatever its configuration says: cut, it stops everybody's work.
    """
    said = (read(home / "host.json", HostConfig) or HostConfig()).care_role
    shares = (read(home / "box.json", BoxConfig) or BoxConfig()).shares
    names = ", ".join(share.name for share in shares)
    return said or (f"partage de fichiers {names} / file shares" if names else "")


def boot_id() -> str:
    """Which start of the kernel this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def host_isolation(home: Path, *, netns: str | None = None) -> HostIsolation:
    """The driver for this host; in a named network namespace, nobody's screen is written to."""
    motd = home / "motd" if netns else MOTD
    return HostIsolation(
        isolator=NftIsolator(netns=netns),
        records=FileRecords(home),
        notice=HostNotice(motd=motd, log=home / LOG, wall=netns is None),
        now=lambda: dt.datetime.now(dt.UTC),
        boot=boot_id(),
        care_role=care_role(home),
    )


def start_dead_man(home: Path, *, netns: str | None = None) -> None:
    """Have the leftovers taken away when the isolation ends, by a process of its own.

    Started twice, the second one ends at once; the first looks at the record, so it follows a
    renewal by itself.
    """
    command = [sys.executable, "-m", "releve.apps.box.host", str(home), *([netns] if netns else [])]
    # setsid --fork: it belongs to nobody here, so it neither dies with us nor stays a zombie.
    subprocess.run(
        ["setsid", "--fork", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        check=True,
        timeout=10,
    )


def dead_man(home: Path, netns: str | None) -> None:
    """Wait until the record is gone or the kernel has ended the cut, then tidy.

    Waiting costs one stat a second; nftables is asked only when the time is over.
    """
    with (home / DEAD_MAN).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another one does it
        mine = samba_proc.look(os.getpid())
        entry = DeadMan(pid=os.getpid(), starttime=mine.starttime if mine else 0)
        lock.truncate(0)
        lock.write(msgspec.json.encode(entry))
        lock.flush()
        try:
            _wait_for_end(home, netns)
        finally:
            (home / DEAD_MAN).unlink(missing_ok=True)


def _wait_for_end(home: Path, netns: str | None) -> None:
    records = FileRecords(home)
    while (record := records.load()) is not None:
        left = (record.until - dt.datetime.now(dt.UTC)).total_seconds()
        if left <= 0 and host_isolation(home, netns=netns).tidy():
            return
        # The wall clock may have been set forward: then the kernel is still right, so wait on.
        time.sleep(min(_POLL_SECONDS, left) if left > 0 else _POLL_SECONDS)


if __name__ == "__main__":
    dead_man(Path(sys.argv[1]), next(iter(sys.argv[2:]), None))
