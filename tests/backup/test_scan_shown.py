"""Files of many folders are read in the repository, mounted for the scan alone: real restic, real FUSE."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from releve.adapters.linux import mounts
from releve.adapters.restic import shown
from releve.adapters.restic.shown import WORDS, ShownFile, show
from releve.adapters.scan import past
from releve.adapters.scan.past import SnapshotPast
from releve.flow.scan_ports import Planned
from releve.model.clean import How

pytestmark = pytest.mark.restic

NAMES = ["CR [1] *.txt", "deux\nlignes.txt", "fin .txt ", "$HOME.txt", "é à ü.txt"]


@pytest.fixture
def spread(share, need):
    """Few files in many folders, their names odd; two ways out of the share."""
    need("root", "overlay")
    for number in range(12):
        folder = share / f"dossier {number} [a]"
        folder.mkdir()
        for name in NAMES:
            (folder / name).write_text(f"{number} {name} " * 50)
    (share / "lien").symlink_to("/etc")
    (share / "fichier").symlink_to("/etc/hostname")
    os.mkfifo(share / "tube")
    return share


@pytest.fixture
def looked_at(state, tmp_path, monkeypatch):
    monkeypatch.setattr(past, "PORTION_CROSSED", 50)
    made = SnapshotPast(state.engine(), "host", tmp_path / "scratch", live=False)
    yield made
    made.close()


@pytest.fixture
def repository(state, tmp_path):
    """The repository as it is shown."""
    engine = state.engine()

    def begin():
        begun.append(show(*engine.program(*WORDS), tmp_path / "place", engine.answers))
        return begun[-1]

    begun = []
    yield begin
    for one in begun:
        if one.lives:
            one.close()


def test_contents_of_many_folders_are_those_that_were_backed_up(
    back_up, spread, state, looked_at, monkeypatch
):
    first = back_up()
    for folder in spread.glob("dossier*"):
        for name in NAMES:
            (folder / name).write_text("repris " + (folder / name).read_text())
    back_up()
    older, newer = looked_at.snapshots()
    assert older.id == first.snapshot
    wanted = [
        Planned(path=one.path, data_set="", how=one.how)
        for one in looked_at.differences(older, newer)
        if one.path.startswith(f"{spread}/dossier")
    ]
    assert len(wanted) == 12 * len(NAMES)
    monkeypatch.setattr(looked_at._engine, "bring", None)  # whoever restores fails
    (portion,) = looked_at.batches(newer, wanted)
    with looked_at.opened(newer, older, portion) as contents:
        for one in portion:
            opened = contents[one.path]
            now = Path(one.path).read_bytes()
            assert opened.after.read(0, opened.after.size) == now
            assert b"repris " + opened.before.read(0, opened.before.size) == now
            assert opened.still()


def test_the_mount_is_seen_by_nobody_else_and_goes_with_the_scan(
    back_up, spread, repository, tmp_path
):
    made = back_up()
    begun = repository()
    path = f"{spread}/dossier 3 [a]/{NAMES[0]}"
    found = begun.file(made.snapshot, path)
    assert found.read(0, 9) == b"3 CR [1] "
    found.close()
    program = begun._program
    point = str(tmp_path / "place/shown")
    assert mounts.mounted(point, str(program.pid)).kind.startswith("fuse")
    assert mounts.mounted(point) is None
    begun.close()
    assert program.poll() is not None


def test_no_link_is_followed_and_only_regular_files_are_opened(back_up, spread, repository):
    made = back_up()
    begun = repository()
    for name in ("lien/hostname", "fichier", "tube", "lien", "dossier 1 [a]", "absent", "a/../b"):
        assert begun.file(made.snapshot, f"{spread}/{name}") is None
    assert begun.file(made.snapshot, f"{spread}/../../../../../../../etc/hostname") is None
    assert begun.file(made.snapshot[:8], f"{spread}/dossier 1 [a]/{NAMES[0]}") is None


def test_a_file_that_is_shorter_than_it_says_is_an_error_and_no_endless_reading(
    tmp_path, back_up, spread, repository
):
    back_up()
    (tmp_path / "court").write_bytes(b"x" * 10)
    found = ShownFile(os.open(tmp_path / "court", os.O_RDONLY), repository())
    (tmp_path / "court").write_bytes(b"x" * 4)
    assert found.read(0, 10) == b"xxxx"
    with pytest.raises(OSError, match="Input/output"):
        found.read(4, 6)
    found.close()


_SHOWN = """
import sys, time
from pathlib import Path
from releve.adapters.restic.shown import WORDS, show
from releve.apps.backup.state import State
engine = State(sys.argv[1]).engine()
begun = show(*engine.program(*WORDS), Path(sys.argv[2]), engine.answers)
print(begun._program.pid, flush=True)
time.sleep(60)
"""


def test_a_kill_of_the_scan_leaves_neither_mount_nor_restic(back_up, spread, state, tmp_path):
    back_up()
    place = tmp_path / "place"
    scan = subprocess.Popen(
        [sys.executable, "-c", _SHOWN, str(state.folder), str(place)],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(scan.stdout.readline())
    assert any(m.kind.startswith("fuse") for m in mounts.mounts(str(pid)))
    scan.send_signal(signal.SIGKILL)
    scan.wait()
    scan.stdout.close()
    until = time.monotonic() + 10
    while any(mounts.mounts(str(pid))):
        assert time.monotonic() < until, "restic lives on"
        time.sleep(0.02)
    assert not any(m.point.startswith(str(place)) for m in mounts.mounts())
    assert not list((place / "shown").iterdir())


def test_a_vault_that_goes_away_ends_the_mount_and_nothing_is_called_absent(
    back_up, spread, server, looked_at, monkeypatch
):
    monkeypatch.setattr(shown, "_DOUBT_S", 0.2)
    monkeypatch.setattr(shown, "_LOOK_S", 0.1)
    back_up()
    (snapshot,) = looked_at.snapshots()
    wanted = [
        Planned(path=one.path, data_set="", how=How.ADDED)
        for one in looked_at.differences(None, snapshot)
        if one.path.startswith(f"{spread}/dossier")
    ]
    (portion,) = looked_at.batches(snapshot, wanted)
    server.stop()
    with looked_at.opened(snapshot, None, portion) as contents:
        for one in portion:
            opened = contents[one.path]
            assert opened.after is None
            assert opened.is_passing
    assert not looked_at._is_well()


def test_without_fuse_it_is_restored_as_before(back_up, spread, state):
    """As in an ordinary container: root, but not allowed to mount anything."""
    back_up()
    words = [
        "import sys",
        "from releve.adapters.scan import past",
        "past.PORTION_CROSSED = 50",
        "from releve.apps.cli.main import run",
        "sys.exit(run(sys.argv[1:]))",
    ]
    scan = ["recover", "scan", "--no-live", "--json", "--state", str(state.folder)]
    caps = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--"]
    command = [*caps, sys.executable, "-c", "; ".join(words), *scan]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"verdict":"clean"' in ran.stdout
    assert '"waiting":0' in ran.stdout
