"""The clean room: live data cannot be written to from it, and nothing of it stays."""

import os
import sqlite3
import subprocess
import sys

import pytest

from releve.adapters.drill.room import CleanRoom
from releve.flow.drill.ports import RoomError

TRY = """
import sys
from pathlib import Path
from releve.adapters.drill.namespace import shut_in
live, ours = map(Path, sys.argv[1:])
assert shut_in([str(live)], [str(ours)])
(ours / "new").write_text("ours")
assert (live / "kept").read_text() == "kept"
for harm in (lambda: (live / "kept").write_text("x"), lambda: (live / "kept").unlink(),
             lambda: (live / "new").touch()):
    try:
        harm()
    except OSError as error:
        assert error.errno == 30, error
    else:
        raise AssertionError("the live data could be written to")
"""


@pytest.mark.root
def test_live_data_is_read_only_and_our_own_folder_in_it_is_not(tmp_path):
    live = tmp_path / "live"
    ours = live / "state"
    ours.mkdir(parents=True)
    (live / "kept").write_text("kept")
    command = [sys.executable, "-c", TRY, str(live), str(ours)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (ours / "new").read_text() == "ours"
    (live / "kept").write_text("everybody else still writes")


def test_a_room_in_the_live_data_or_around_it_is_refused(tmp_path):
    for live, room in (("a", "a/room"), ("a/b", "a"), ("a", "a")):
        with pytest.raises(RoomError):
            CleanRoom(str(tmp_path / room), [str(tmp_path / live)])


def test_a_room_that_others_could_enter_is_refused(tmp_path):
    (tmp_path / "room").mkdir(mode=0o755)
    with pytest.raises(RoomError):
        CleanRoom(str(tmp_path / "room"), [])
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    room = CleanRoom(str(tmp_path / "link"), [])
    assert os.path.realpath(tmp_path / "link") == room.path


def test_a_room_goes_whole_also_what_was_restored_without_the_right_to_write(tmp_path):
    room = CleanRoom(str(tmp_path / "room"), [])
    sealed = tmp_path / "room" / "sealed"
    sealed.mkdir()
    (sealed / "file").write_text("x")
    (sealed / "link").symlink_to(tmp_path)
    sealed.chmod(0o500)
    room.remove()
    assert not (tmp_path / "room").exists()
    assert tmp_path.exists()


@pytest.mark.restic
def test_a_room_left_by_a_drill_that_died_after_its_certificate_goes_at_the_next_start(practice):
    practice.back_up()
    _, made = practice.drill()
    left = practice.drills / "rooms" / f".releve-room-{made['id']}"
    left.mkdir(mode=0o700)
    (left / "patients.db").touch()
    assert practice.call("run", "--state", str(practice.state.folder), "--if-due")[0] == 0
    assert not left.exists()
    with sqlite3.connect(practice.drills / "drills.db") as journal:
        assert journal.execute("SELECT count(*) FROM drill").fetchone() == (1,)
