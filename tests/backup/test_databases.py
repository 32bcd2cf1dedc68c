import os
import sqlite3
from pathlib import Path

import pytest

from releve.adapters.restic.databases import SqliteDatabases, load_manifest


@pytest.fixture
def staged(tmp_path):
    """Stage a folder; answers the manifest."""
    databases = SqliteDatabases(str(tmp_path / "state"))

    def once(*folders, exclude=()):
        return databases.stage([str(folder) for folder in folders], exclude, lambda _: None)

    return once


def make(path, mode="delete"):
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA journal_mode={mode}")
    database.execute("CREATE TABLE t (x)")
    database.execute("INSERT INTO t VALUES (1)")
    database.commit()
    database.close()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_copy_is_whole_and_nothing_is_left_beside_the_original(staged, tmp_path, mode):
    folder = tmp_path / "share"
    folder.mkdir()
    make(folder / "a.db", mode)
    (copy,) = staged(folder).databases
    assert [path.name for path in folder.iterdir()] == ["a.db"]
    database = sqlite3.connect(copy.copy)
    assert database.execute("SELECT x FROM t").fetchone() == (1,)
    database.close()


def test_what_is_not_a_database_is_left_alone(staged, tmp_path):
    (tmp_path / "Thumbs.db").write_bytes(b"not a database at all")
    (tmp_path / "link.db").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.db")
    assert staged(tmp_path).databases == ()


def test_an_unchanged_database_is_not_copied_again(staged, tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    make(folder / "a.db")
    (first,) = staged(folder).databases
    inode = Path(first.copy).stat().st_ino
    assert staged(folder).databases == (first,)
    assert Path(first.copy).stat().st_ino == inode
    database = sqlite3.connect(folder / "a.db")
    database.execute("INSERT INTO t VALUES (2)")
    database.commit()
    database.close()
    (again,) = staged(folder).databases
    assert again.sha256 != first.sha256


def test_a_damaged_database_is_skipped_with_its_reason_and_its_copy_goes(staged, tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    make(folder / "a.db")
    staged(folder)
    with (folder / "a.db").open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(4000))
    manifest = staged(folder)
    assert manifest.databases == ()
    assert manifest.skipped[0].path == str(folder / "a.db")
    assert manifest.skipped[0].why
    assert load_manifest(tmp_path / "state/releve-bases") == manifest


def test_excluded_folders_are_not_looked_into(staged, tmp_path):
    (tmp_path / "share/.releve-held").mkdir(parents=True)
    make(tmp_path / "share/.releve-held/held.db")
    assert staged(tmp_path / "share", exclude=(".releve-*",)).databases == ()
