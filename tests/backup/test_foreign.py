"""Databases that somebody put into the share to hang, fill or mislead whoever backs it up as root."""

import datetime as dt
import os
import sqlite3
import struct
import time
from contextlib import closing

import pytest

from releve.adapters.drill.sqlite import open_sqlite
from releve.adapters.restic import databases
from releve.adapters.restic.databases import SqliteDatabases
from releve.adapters.scan.past import count_rows

_NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def slow(path, how):
    """A small file whose check, or whose rows, ask for hours or for gigabytes."""
    big = "length(hex(zeroblob(400000000)))"
    sql = {
        "check": f"CREATE TABLE t (a CHECK ({big} > 0))",
        "computed": f"CREATE TABLE t (a, b AS (nullif({big}, 0)) NOT NULL)",
        "many_steps": "CREATE TABLE t (a, b AS (replace(hex(zeroblob(2000000 + a)), '0', 'ab') LIKE '%c') NOT NULL)",
        "one_step": "CREATE TABLE t (a, b AS (instr(hex(zeroblob(20000000)), hex(zeroblob(10000000)) || a)) NOT NULL)",
    }[how]
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (a)")
        database.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(3000)])
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = ?", (sql,))
        database.commit()


def sound(path, rows=3):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE fiches (nom)")
        database.executemany(
            "INSERT INTO fiches VALUES (?)", [(f"fiche {n}",) for n in range(rows)]
        )
        database.commit()


def stage(tmp_path, folder):
    return SqliteDatabases(str(tmp_path / "state")).stage([str(folder)], (), lambda _: None)


@pytest.fixture
def share(tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("how", ["check", "computed", "many_steps", "one_step"])
def test_a_database_that_is_a_program_does_not_hold_up_the_backup(
    share, tmp_path, monkeypatch, how
):
    monkeypatch.setattr("releve.adapters.foreign._FIRST_S", 3.0)
    for number in range(3):
        slow(share / f"a{number}.db", how)
    sound(share / "z.db")
    began = time.monotonic()
    manifest = stage(tmp_path, share)
    assert time.monotonic() - began < 20
    by_name = {copy.path.rpartition("/")[2]: copy.rows for copy in manifest.databases}
    assert by_name["z.db"] == {"fiches": 3}
    harmless = {"check"}  # a rule of the file's maker says nothing about damage: it is not asked
    assert len(manifest.skipped) == (0 if how in harmless else 3)
    began = time.monotonic()
    assert stage(tmp_path, share).skipped == manifest.skipped
    assert time.monotonic() - began < 2  # what came to no end is not tried again as it is


@pytest.mark.parametrize("how", ["check", "computed", "many_steps", "one_step"])
def test_it_holds_up_neither_the_judge_nor_a_drill(share, tmp_path, monkeypatch, how):
    monkeypatch.setattr("releve.adapters.foreign._FIRST_S", 3.0)
    slow(share / "a.db", how)
    began = time.monotonic()
    count_rows(str(share / "a.db"), 1.0)
    opened = open_sqlite(str(share / "a.db"), "a.db", _NOW, str(tmp_path))
    assert time.monotonic() - began < 10
    assert opened.error or opened.tables == {"t": 3000}


def test_a_file_that_is_longer_than_the_disk_is_not_copied(share, tmp_path):
    sound(share / "a.db")
    sound(share / "z.db")
    with closing(sqlite3.connect(share / "a.db")) as database:
        database.execute("PRAGMA journal_mode = wal")
    os.truncate(share / "a.db", 2 << 30)
    manifest = stage(tmp_path, share)
    assert [copy.path for copy in manifest.databases] == [str(share / "z.db")]
    assert [skipped.path for skipped in manifest.skipped] == [str(share / "a.db")]


def test_nor_is_one_whose_log_says_that_it_is(share, tmp_path):
    sound(share / "a.db")
    with closing(sqlite3.connect(share / "a.db")) as database:
        database.execute("PRAGMA journal_mode = wal")
    _lengthen(share / "a.db", 2 << 30)
    manifest = stage(tmp_path, share)
    assert manifest.databases == ()
    assert [skipped.path for skipped in manifest.skipped] == [str(share / "a.db")]


def test_a_link_that_takes_its_place_in_between_brings_nobody_elses_database(
    share, tmp_path, monkeypatch
):
    sound(share / "a.db")
    sound(tmp_path / "secret.db", rows=7)
    copied_at_rest = databases._copied_at_rest

    def swapped(path, *rest):
        (share / "a.db").unlink()
        (share / "a.db").symlink_to(tmp_path / "secret.db")
        return copied_at_rest(path, *rest)

    monkeypatch.setattr(databases, "_copied_at_rest", swapped)
    manifest = stage(tmp_path, share)
    assert manifest.databases == ()
    assert [skipped.path for skipped in manifest.skipped] == [str(share / "a.db")]


def test_a_large_value_is_no_damage(share, tmp_path):
    with closing(sqlite3.connect(share / "a.db")) as database:
        database.execute("CREATE TABLE images (nom, contenu)")
        database.execute("INSERT INTO images VALUES ('radio', zeroblob(70000000))")
        database.commit()
    (copy,) = stage(tmp_path, share).databases
    assert copy.rows == {"images": 1}
    counted = count_rows(copy.copy, 60.0)
    assert counted is not None
    assert counted.is_sound
    assert counted.rows == {"images": 1}
    assert open_sqlite(copy.copy, "a.db", _NOW, str(tmp_path)).tables == {"images": 1}


def _lengthen(path, size):
    """A log beside the database with one page, which says how many pages there are."""
    page = bytearray(path.read_bytes()[:4096])
    page[92:96] = b"\xff" * 4  # "the length above is not of the last who wrote": the log's counts
    head = struct.pack(">IIIIII", 0x377F0682, 3007000, 4096, 0, 1, 1)
    sums = _sum(head, (0, 0))
    frame = struct.pack(">II", 1, size // 4096)
    last = _sum(page, _sum(frame, sums))
    salt = struct.pack(">II", 1, 1)
    log = head + struct.pack(">II", *sums) + frame + salt + struct.pack(">II", *last) + page
    path.with_name(path.name + "-wal").write_bytes(log)


def _sum(data, before):
    one, two = before
    words = struct.unpack(f"<{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
