"""`releve restore` from real snapshots: as of a time, in place or beside, databases whole."""

import contextlib
import datetime as dt
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import click
import pytest

from releve.adapters import placing, private
from releve.adapters.preview import drawing
from releve.adapters.restic.source import SnapshotSource
from releve.apps.cli.main import run
from releve.apps.restore.cli import NoVersionError, local, read_time
from tests.backup.conftest import facts

pytestmark = pytest.mark.restic


@pytest.fixture
def restore(state, capsys):
    """Call the command; answers (exit status, JSON objects of stdout, stderr)."""

    def call(*words: str):
        capsys.readouterr()
        status = run(["restore", *words, "--json", "--state", str(state.folder)])
        said = capsys.readouterr()
        return status, [json.loads(line) for line in said.out.splitlines()], said.err

    return call


def test_a_file_comes_back_as_it_was_at_a_time(share, back_up, restore):
    letter = share / "lettre.txt"
    letter.write_text("first")
    letter.chmod(0o640)
    first = back_up()
    before = facts(letter)
    letter.write_text("second, longer")
    second = back_up()
    letter.write_bytes(b"encrypted")
    status, (done,), _ = restore(str(letter), "--at", first.at.isoformat(), "--in-place", "--yes")
    assert status == 0
    assert done["replaced"] == 1
    assert letter.read_text() == "first"
    assert facts(letter) == before
    assert done["sha256"] == placing.sha256(str(letter))
    status, (done,), _ = restore(str(letter), "--as-of", second.at.isoformat())
    assert "(repris du " in done["to"]
    assert done["to"].endswith(").txt")
    assert Path(done["to"]).read_text() == "second, longer"
    assert letter.read_text() == "first"


def test_versions_are_one_per_content(share, back_up, restore):
    letter = share / "lettre.txt"
    letter.write_text("one")
    back_up()
    back_up()
    letter.write_text("three")
    back_up()
    status, versions, _ = restore(str(letter), "--list")
    assert status == 0
    assert [version["size"] for version in versions] == [3, 5]


def test_nothing_is_replaced_without_yes(share, back_up, restore):
    letter = share / "lettre.txt"
    letter.write_text("one")
    back_up()
    letter.write_text("two")
    status, said, err = restore(str(letter), "--in-place")
    assert (status, said) == (78, [])
    assert "--yes" in json.loads(err)["remedy"]
    assert letter.read_text() == "two"


def test_a_time_before_the_first_backup_has_no_version(share, back_up, restore):
    back_up()
    status, _, err = restore(str(share / "patients.db"), "--at", "2999-01-01 12:00")
    assert (status, "pas encore passé ici" in err) == (2, True)
    status, _, err = restore(str(share / "patients.db"), "--at", "2020-01-01")
    assert status == 77
    assert json.loads(err)["status"] == 77


def test_a_deleted_folder_comes_back_to_its_place_whole(share, back_up, restore):
    folder = share / "lettres [2026]"
    before = {path.name: (path.read_bytes(), facts(path)) for path in folder.iterdir()}
    back_up()
    shutil.rmtree(folder)
    back_up()
    versions = restore(str(folder), "--list")[1]
    assert versions
    status, (*_, done), _ = restore(str(folder), "--at", versions[0]["at"])
    assert status == 0
    assert done["made"] == 20
    assert {p.name: (p.read_bytes(), facts(p)) for p in folder.iterdir()} == before


def test_restoring_a_folder_in_place_keeps_what_is_newer_and_mends_what_differs(
    share, back_up, restore
):
    folder = share / "lettres [2026]"
    back_up()
    victims = sorted(folder.iterdir())[:5]
    kept = {path: path.read_bytes() for path in victims}
    for victim in victims:
        victim.write_bytes(os.urandom(400))
        victim.rename(f"{victim}.locked")
    (folder / "new.txt").write_text("after")
    status, (*_, done), _ = restore(str(folder), "--in-place", "--yes")
    assert status == 0
    assert (done["made"], done["replaced"], done["unchanged"]) == (5, 0, 15)
    assert {path: path.read_bytes() for path in victims} == kept
    assert (folder / "new.txt").read_text() == "after"
    assert not list(folder.parent.glob(".releve-reprise-*"))


def test_a_database_written_during_the_backup_is_restored_whole(share, state, back_up, restore):
    path = share / "patients.db"
    stop = threading.Event()
    writer = threading.Thread(target=_write_visits, args=(path, stop))
    writer.start()
    try:
        time.sleep(0.2)
        made = back_up()
    finally:
        stop.set()
        writer.join()
    assert made.databases == 1
    assert made.skipped == ()
    status, (done,), _ = restore(str(path))
    assert status == 0
    with sqlite3.connect(done["to"]) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count, length = database.execute("SELECT count(*), min(length(note)) FROM visit").fetchone()
    database.close()
    assert count > 500
    assert count % 10 == 0, "half a transaction would show"
    assert length == 200


def _write_visits(path: Path, stop: threading.Event) -> None:
    database = sqlite3.connect(path)
    while not stop.is_set():
        with database:
            database.executemany("INSERT INTO visit (note) VALUES (?)", [("y" * 200,)] * 10)
        time.sleep(0.002)
    database.close()


def test_a_restored_database_is_not_spoilt_by_the_log_of_the_one_it_replaces(
    share, back_up, restore
):
    path = share / "patients.db"
    back_up()
    path.write_bytes(os.urandom(4096))
    Path(f"{path}-wal").write_bytes(os.urandom(512))
    status, (done,), _ = restore(str(path), "--in-place", "--yes")
    assert status == 0
    assert done["set_aside"] == [f"{path}-wal.avant-reprise"]
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM visit").fetchone() == (500,)
    database.close()


def test_a_folder_brings_its_databases_from_their_consistent_copies(share, back_up, restore):
    writer = sqlite3.connect(share / "patients.db")
    writer.execute("INSERT INTO visit (note) VALUES ('z')")
    writer.commit()  # lies in the log beside the file, which stays open
    try:
        back_up()
    finally:
        writer.close()
    target = share.parent / "elsewhere"
    status, _, _ = restore(str(share), "--to", str(target))
    assert status == 0
    assert sorted(p.name for p in target.glob("patients.db*")) == ["patients.db"]
    with sqlite3.connect(target / "patients.db") as database:
        assert database.execute("SELECT count(*) FROM visit").fetchone() == (501,)
    database.close()


def test_without_any_backup_the_remedy_says_how_to_start(tmp_path, capsys):
    state = str(tmp_path / "none")
    assert run(["restore", "/x", "--from", "snapshots", "--state", state]) == 93
    assert "backup setup" in capsys.readouterr().err


def test_a_link_planted_by_a_user_is_never_followed(tmp_path):
    fetched = tmp_path / "fetched" / "share"
    (fetched / "sub").mkdir(parents=True)
    (fetched / "sub" / "passwd").write_text("evil")
    outside = tmp_path / "etc"
    outside.mkdir()
    target = tmp_path / "share"
    target.mkdir()
    (target / "sub").symlink_to(outside)
    placed = placing.place(str(fetched), str(target))
    assert not list(outside.iterdir())
    assert len(placed.failed) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="a link of somebody else needs root to be made")
@pytest.mark.parametrize("owner", [0, 65534])
def test_a_link_above_the_destination_is_followed_only_if_root_made_it(tmp_path, owner):
    outside, share = tmp_path / "etc", tmp_path / "share"
    outside.mkdir()
    share.mkdir()
    (share / "d").symlink_to("../etc")
    os.chown(share / "d", owner, owner, follow_symlinks=False)
    (tmp_path / "x").write_text("evil")
    placed = placing.place(str(tmp_path / "x"), str(share / "d" / "new" / "x"))
    assert bool(placed.failed) == (owner != 0)
    assert (outside / "new" / "x").exists() == (owner == 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder of somebody else needs root to be made")
def test_what_is_fetched_waits_where_no_user_can_replace_it(tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    os.chown(share, 65534, 65534)
    with placing.scratch(str(share / "x")) as folder:
        assert private.is_ours(folder)
        assert share not in Path(folder).parents


@pytest.fixture
def users_disk(tmp_path):
    """A disk that belongs to a user up to its top."""
    top = tmp_path / "disk"
    top.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", top], check=True)
    os.chown(top, 65534, 65534)
    yield top
    subprocess.run(["umount", top], check=True)


@pytest.mark.root
def test_on_a_users_disk_what_is_fetched_waits_elsewhere_and_comes_over_whole(users_disk):
    share = users_disk / "docs"
    share.mkdir()
    os.chown(share, 65534, 65534)
    (share / "lettre.txt").write_text("encrypted")
    with placing.scratch(str(share / "lettre.txt")) as folder:
        assert private.is_ours(folder)
        assert Path(folder).stat().st_dev != users_disk.stat().st_dev
        fetched = Path(folder, "lettre.txt")
        fetched.write_bytes(b"as it was" * 1000)
        fetched.chmod(0o640)
        os.setxattr(fetched, "user.mark", b"1")
        os.chown(fetched, 65534, 1234)
        os.utime(fetched, ns=(1, 2))
        wanted = facts(fetched)
        Path(folder, "lien").symlink_to("lettre.txt")
        assert placing.place(str(fetched), str(share / "lettre.txt")).replaced == 1
        assert placing.place(str(Path(folder, "lien")), str(share / "lien")).made == 1
        Path(folder, "large").write_bytes(bytes(16 << 20))
        refused = placing.place(str(Path(folder, "large")), str(share / "large"))
        assert len(refused.failed) == 1
    assert facts(share / "lettre.txt") == wanted
    assert (share / "lettre.txt").read_bytes() == b"as it was" * 1000
    assert (share / "lien").readlink() == Path("lettre.txt")
    assert sorted(p.name for p in share.iterdir()) == ["lettre.txt", "lien"]
    assert not Path(folder).exists()


def test_a_link_that_was_fetched_is_not_read_through(tmp_path):
    secret, link = tmp_path / "shadow", tmp_path / "lettre.txt"
    secret.write_text("root:x")
    link.symlink_to(secret)
    assert drawing.draw(str(link), "lettre.txt").why is drawing.Why.KIND
    with pytest.raises(OSError, match="symbolic links"):
        placing.sha256(str(link))


def test_what_was_a_link_in_a_snapshot_comes_back_as_the_link_it_was(share, back_up, restore):
    link = share / "lettre.txt"
    link.symlink_to("/etc/shadow")
    back_up()
    link.unlink()
    status, (done,), _ = restore(str(link))
    assert (status, done["sha256"], str(link.readlink())) == (0, None, "/etc/shadow")


def test_a_log_that_was_set_aside_before_stays(tmp_path):
    fetched, target = tmp_path / "fetched.db", tmp_path / "patients.db"
    for number in (1, 2):
        target.write_bytes(b"old")
        Path(f"{target}-wal").write_text(f"log {number}")
        with contextlib.closing(sqlite3.connect(fetched)) as database:
            database.execute("CREATE TABLE IF NOT EXISTS visit (note)")
            database.commit()
        assert placing.place(str(fetched), str(target)).replaced == 1
    kept = {p.name: p.read_text() for p in tmp_path.glob("*avant-reprise*")}
    assert kept == {
        "patients.db-wal.avant-reprise": "log 1",
        "patients.db-wal.avant-reprise-2": "log 2",
    }


def test_a_path_outside_every_snapshot_has_no_versions(state, back_up, restore):
    back_up()
    assert SnapshotSource(state.engine()).versions("/etc/passwd") == ()
    status, told, said = restore("/etc/passwd", "--list")
    assert (status, told) == (NoVersionError.status, [])
    assert "guard run --protect" in json.loads(said)["remedy"]


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-20 15:16:00+01:00",
        "2026-11-20 14:16:00 UTC",
        "20 novembre 2026 à 14:16 UTC",
        "20\u00a0nov.\u00a02026 15:16 Europe/Paris",
        "2026-11-20 15:16:00 CET",
    ],
)
def test_a_time_is_taken_as_listing_report_and_console_show_it(said):
    assert read_time(said).replace(second=0, microsecond=0) == dt.datetime(
        2026, 11, 20, 14, 16, tzinfo=dt.UTC
    )


def test_a_listed_time_names_its_zone_and_is_taken_back():
    at = dt.datetime(2026, 11, 20, 14, 16, 5, tzinfo=dt.UTC)
    assert read_time(local(at)).replace(microsecond=0) == at
    assert dt.datetime.fromisoformat(local(at)).utcoffset() is not None


def test_a_time_that_is_none_is_refused():
    with pytest.raises(click.BadParameter):
        read_time("Mathilde")
