"""The server's own state: backed up while it runs, restored whole or not at all."""

import gzip
import io
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zlib
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from releve.adapters.server_archive import StateFile, StateFileError, StateManifest, unpack
from releve.adapters.sql import tables as t
from releve.adapters.sql.store import SqlStore
from releve.apps.cli import main
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.apps.server.state import back_up
from releve.flow.server.ingest import take
from tests.server.test_structures_apart import dump, fill
from tests.server.world import T0, Postgres, add_host, batch, rolled_back, running, tampering

_KILLS = int(os.environ.get("RELEVE_KILLS", "8"))


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def kept(store: SqlStore, structure: str) -> dict:
    """Every row but the sessions and the entry of the restore itself."""
    rows = dump(store, structure)
    rows.pop("session", None)
    rows["audit"] = [row for row in rows["audit"] if row[5] != "restore"]
    return rows


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def urls(request: pytest.FixtureRequest, postgres: Postgres) -> tuple[str, str]:
    """Where the server's database is, and where it is to be restored to; empty: in the home."""
    if request.param == "sqlite":
        return "", ""
    return postgres.new_url(), postgres.new_url()


def test_the_state_comes_back_row_by_row(tmp_path: Path, urls: tuple[str, str], capsys) -> None:
    home = Home(tmp_path / "home")
    home.make()
    store = make_store(home, urls[0])
    home.token_url.write_text("https://releve.example\n")
    key, host = home.public_key(), fill(store, "A", home.signing_key())
    other = fill(store, "B", home.signing_key()).structure
    away = tmp_path / "away"
    away.mkdir()
    assert main.run(words("backup", home, urls[0], away)) == 0
    (archive,) = away.iterdir()
    assert told(capsys)["file"] == str(archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert not (home.path / "backup-staging").exists()
    new = Home(tmp_path / "new")
    assert main.run(words("restore", new, urls[1], archive)) == 0
    said = told(capsys)
    assert said["restored"]
    assert {one["name"]: one["faults"] for one in said["trails"]} == {"A": [], "B": []}
    assert new.public_key() == key
    assert new.token_url.read_text() == "https://releve.example\n"
    assert stat.S_IMODE(new.path.stat().st_mode) == 0o700
    again = make_store(new, urls[1])
    for structure in (host.structure, other):
        assert kept(again, structure) == kept(store, structure)
    assert again.person_by_login("claire-A") == store.person_by_login("claire-A")
    with again.unit(other) as unit:
        assert unit.trail(most=1)[0].verb == "restore"
        assert unit.trail_is_whole()
    if urls[1]:
        assert not (new.path / "releve.db").exists()
    else:
        with running(new.path) as served:
            assert {s.name for s in served.store.structures()} == {"A", "B"}


def words(verb: str, home: Home, db: str, what: Path) -> list[str]:
    return ["server", verb, str(what), "--home", str(home.path), "--db", db, "--json"]


def test_one_state_is_taken_while_others_write(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    with running(home.path) as served:
        hosts = [add_host(served.store, f"h{n}") for n in range(2)]
        over = threading.Event()

        def write() -> None:
            """Both hosts in one transaction after the other: the first is never behind."""
            for seq in range(1, 10_000):
                if over.is_set():
                    return
                for host in hosts:
                    taken = batch(rolled_back("x"), first=seq)
                    take(served.store, host.structure, host.id, taken, T0)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = []
            for n in range(5):
                time.sleep(0.1)
                made.append(back_up(home, "", tmp_path / f"{n}.tar.gz", T0))
        finally:
            over.set()
            writer.join()
    counts = []
    for n, (place, manifest) in enumerate(made):
        into = tmp_path / f"out{n}"
        unpack(place, into)
        store = make_store(Home(into))
        with store.unit(hosts[0].structure, writes=False) as unit:
            first, second = (unit.watermark(host.id, "sp") for host in hosts)
            query = sa.select(t.event.c.host)
            found = unit._connection.execute(query).scalars().all()
        assert first - second in (0, 1)
        assert (found.count(hosts[0].id), found.count(hosts[1].id)) == (first, second)
        assert manifest.rows["event"] == len(found)
        counts.append(first)
        store.close()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    home = Home(tmp_path / "home")
    home.make()
    home.signing_key()
    store = make_store(home)
    fill(store, "A", home.signing_key())
    store.close()
    return back_up(home, "", tmp_path / "state.tar.gz", T0)[0]


def test_a_damaged_archive_restores_nothing(tmp_path: Path, archive: Path, capsys) -> None:
    whole, chance = archive.read_bytes(), random.Random(4)
    home = Home(tmp_path / "new")
    damaged = tmp_path / "damaged.tar.gz"
    places = [chance.randrange(20, len(whole) - 20) for _ in range(30)]
    for content in (
        b"", b"not an archive", whole[: len(whole) // 2], whole[:-9],
        *(whole[:n] + bytes([whole[n] ^ 0x55]) + whole[n + 1 :] for n in places),
    ):  # fmt: skip
        if _unpacked(content) == _unpacked(whole):
            continue  # one byte in a hundred says how a letter would be packed that never comes
        damaged.write_bytes(content)
        assert main.run(words("restore", home, "", damaged)) == StateFileError.status
        assert not home.path.exists()
        assert not list(tmp_path.glob(".new*"))
    capsys.readouterr()


@pytest.mark.parametrize("letter", [b"\xff", b"\x00"])
def test_a_list_that_is_no_text_is_a_damaged_archive(tmp_path: Path, letter: bytes) -> None:
    facts = StateFile(sha256="0" * 64, size=3)
    told = StateManifest(version="1", made_at=T0, files={"releve.db": facts}, rows={})
    content = msgspec.json.encode(told).replace(b"releve", b"rel" + letter + b"ve")
    forged = tmp_path / "forged.tar.gz"
    with tarfile.open(forged, "w:gz") as archive:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    (into := tmp_path / "into").mkdir()
    with pytest.raises(StateFileError):
        unpack(forged, into)


def _unpacked(content: bytes) -> bytes | None:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


def test_what_is_longer_than_its_list_says_is_not_even_written(tmp_path: Path) -> None:
    facts = StateFile(sha256="0" * 64, size=3)
    told = StateManifest(version="1", made_at=T0, files={"releve.db": facts}, rows={})
    forged = tmp_path / "forged.tar.gz"
    with tarfile.open(forged, "w:gz") as archive:
        for name, content in (("manifest.json", msgspec.json.encode(told)), ("releve.db", b"xxxx")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (into := tmp_path / "into").mkdir()
    with pytest.raises(StateFileError, match="not as long"):
        unpack(forged, into)
    assert list(into.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path, archive: Path, capsys) -> None:
    busy = Home(tmp_path / "busy")
    busy.make()
    assert main.run(words("restore", busy, "", archive)) == 103
    assert sorted(p.name for p in busy.path.iterdir()) == ["keys"]
    (empty := tmp_path / "empty").mkdir()
    assert main.run(words("restore", Home(empty), "", archive)) == 0
    assert main.run(words("backup", Home(empty), "", archive)) == 102
    assert main.run(words("backup", Home(tmp_path / "nobody"), "", tmp_path)) == 101
    capsys.readouterr()


def test_a_trail_that_was_falsified_before_the_backup_is_not_restored(
    tmp_path: Path, capsys
) -> None:
    home = Home(tmp_path / "home")
    home.make()
    store = make_store(home)
    host = fill(store, "A", home.signing_key())
    with tampering(store, host.structure, "audit") as db:
        db.execute(sa.update(t.audit).where(t.audit.c.number == 2).values(actor="x"))
    store.close()
    back_up(home, "", tmp_path / "state.tar.gz", T0)
    new = Home(tmp_path / "new")
    assert main.run(words("restore", new, "", tmp_path / "state.tar.gz")) == 100
    assert not told(capsys)["restored"]
    assert not new.path.exists()


@pytest.mark.timeout(60 + 10 * _KILLS)
def test_killed_in_the_middle_there_is_no_half_home(tmp_path: Path, archive: Path) -> None:
    home, chance = Home(tmp_path / "new"), random.Random(9)
    command = [sys.executable, "-m", "releve.apps.cli.main", *words("restore", home, "", archive)]
    begun = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    took = time.monotonic() - begun
    for _ in range(_KILLS):
        if home.path.exists():
            home.path.rename(tmp_path / f"done{len(list(tmp_path.iterdir()))}")
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(took * 0.4, took))
        child.send_signal(signal.SIGKILL)
        child.wait()
        if home.path.exists():
            assert main.run(["audit", "verify", "--home", str(home.path)]) == 0
            assert make_store(home).person_by_login("claire-A") is not None
    if home.path.exists():
        home.path.rename(tmp_path / "last")
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert not list(tmp_path.glob(".new*"))
