"""A real IMAP server for tests: Debian's dovecot as a child on loopback, with its own files and certificate."""

import contextlib
import datetime as dt
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from releve.adapters.authority import Authority
from tests.server.help_world import dead_port

PASSWORD = "mot-de-passe"
ADDRESS = "aide@releve.example"
_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificate}
ssl_key = <{certificate}
mail_location = maildir:{folder}/mail
first_valid_uid = 1
passdb {{
  driver = static
  args = user=aide password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
"""
_numbers = itertools.count(1)


class Dovecot(msgspec.Struct, frozen=True):
    folder: Path
    port: int

    @property
    def authority(self) -> Path:
        return self.folder / "keys" / "authority.pem"

    @property
    def url(self) -> str:
        return f"imaps://aide@127.0.0.1:{self.port}/INBOX"

    def deliver(self, raw: bytes, at: dt.datetime | None = None) -> None:
        """As a delivery agent does it: whole, and with the time of its arrival."""
        name = f"{int(time.time())}.{next(_numbers)}.test"
        path = self.folder / "mail" / "tmp" / name
        path.write_bytes(raw)
        if at is not None:
            os.utime(path, (at.timestamp(), at.timestamp()))
        os.chown(path, *_owner())
        path.rename(self.folder / "mail" / "new" / name)

    def read(self) -> int:
        """How many mails are marked as read."""
        names = [path.name for path in (self.folder / "mail" / "cur").iterdir()]
        return sum("S" in name.partition(":2,")[2] for name in names)

    def make_anew(self) -> None:
        """The mailbox is another one from here on: its uids begin again."""
        for name in (
            "dovecot-uidlist",
            "dovecot.index",
            "dovecot.index.log",
            "dovecot.index.cache",
        ):
            (self.folder / "mail" / name).unlink(missing_ok=True)


def _owner() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


@contextlib.contextmanager
def dovecot() -> Iterator[Dovecot]:
    # Its sockets' names must be short: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="dc"))
    folder.chmod(0o755)
    server = Dovecot(folder, dead_port())
    (folder / "keys").mkdir()
    certificate = Authority(folder / "keys").ensure_certificate(("127.0.0.1", "localhost"))
    uid, gid = _owner()
    for name in ("mail", "mail/new", "mail/cur", "mail/tmp", "home"):
        (folder / name).mkdir()
        os.chown(folder / name, uid, gid)
    words = {
        "folder": folder,
        "certificate": certificate,
        "port": server.port,
        "password": PASSWORD,
    }
    (folder / "dovecot.conf").write_text(_CONFIG.format(**words, uid=uid, gid=gid))
    child = subprocess.Popen(
        ["/usr/sbin/dovecot", "-F", "-c", str(folder / "dovecot.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until and child.poll() is None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", server.port), 1),
            ):
                break
            time.sleep(0.05)
        yield server
    finally:
        child.terminate()
        child.wait(20)
        shutil.rmtree(folder)


def mail(
    subject: str = "Plus de réseau",
    body: str = "Rien ne marche.",
    sender: str = "claire@parc.example",
    **headers: str,
) -> bytes:
    lines = {
        "From": f"Dr Claire <{sender}>",
        "To": ADDRESS,
        "Subject": subject,
        "Message-ID": f"<m{next(_numbers)}.{os.getpid()}@parc.example>",
        "Content-Type": "text/plain; charset=utf-8",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{head}\r\n{body}\r\n".encode()
