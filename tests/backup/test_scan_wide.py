"""What a scan asks of restic when there are many files: real restic, a real repository."""

import os

import pytest

from releve.adapters.restic.engine import Restic
from releve.adapters.scan import past
from releve.adapters.scan.past import SnapshotPast
from releve.flow.scan_ports import Planned
from releve.model.clean import How

pytestmark = pytest.mark.restic


class Counting(Restic):
    """restic, which notes what it was asked for."""

    def bring(self, snapshot, patterns, into):
        self.brought = True
        super().bring(snapshot, patterns, into)

    def every(self, snapshot, hear, folders=()):
        self.listed = set(folders)
        super().every(snapshot, hear, folders)


@pytest.fixture
def engine(state):
    made = Counting(state.repository())
    made.brought, made.listed = False, None
    return made


@pytest.fixture
def looked_at(engine, tmp_path):
    return SnapshotPast(engine, "host", tmp_path / "scratch", live=True)


def planned(differing):
    return [Planned(path=one.path, data_set="", how=one.how) for one in differing]


@pytest.mark.parametrize("nanoseconds", [0, 1, 499, 500, 501, 999])
def test_a_file_that_stands_as_it_was_backed_up_does_not_come_back_from_the_vault(
    back_up, share, engine, looked_at, nanoseconds
):
    for path in (share / "lettres [2026]").iterdir():
        os.utime(path, ns=(10**18, 10**18 + 123_456_000 + nanoseconds))
    back_up()
    (snapshot,) = looked_at.snapshots()
    letters = [o for o in planned(looked_at.differences(None, snapshot)) if o.path.endswith(".txt")]
    with looked_at.opened(snapshot, None, letters) as contents:
        assert all(contents[one.path].after is not None for one in letters)
    assert len(letters) == 20
    assert not engine.brought


def test_a_file_that_was_written_since_comes_from_the_vault(back_up, share, engine, looked_at):
    back_up()
    (snapshot,) = looked_at.snapshots()
    letter = next(p for p in (share / "lettres [2026]").iterdir())
    was, content = letter.stat(), letter.read_bytes()
    letter.write_bytes(content[::-1])
    os.utime(letter, ns=(was.st_atime_ns, was.st_mtime_ns + 1_000))
    (one,) = [o for o in planned(looked_at.differences(None, snapshot)) if o.path == str(letter)]
    with looked_at.opened(snapshot, None, [one]) as contents:
        found = contents[one.path].after
        assert found is not None
        assert found.read(0, found.size) == content
    assert engine.brought


def test_of_a_later_snapshot_only_the_folders_that_changed_are_listed(
    back_up, share, engine, looked_at
):
    for name in ("a", "b"):
        (share / name).mkdir()
        for number in range(3):
            (share / name / f"{number}.txt").write_text(f"{name} {number}")
    back_up()
    (share / "a/0.txt").write_text("changed")
    (share / "a/new.txt").write_text("added")
    (share / "b/1.txt").unlink()
    back_up()
    first, second = looked_at.snapshots()
    told = {one.path: one.how for one in looked_at.differences(first, second)}
    here = {path: how for path, how in told.items() if path.startswith(str(share))}
    assert here == {
        f"{share}/a/0.txt": How.CHANGED,
        f"{share}/a/new.txt": How.ADDED,
        f"{share}/b/1.txt": How.REMOVED,
    }
    assert f"{share}/a" in engine.listed
    assert f"{share}/b" not in engine.listed


def test_more_folders_than_a_few_are_found_by_listing_everything(back_up, share, engine, looked_at):
    folders = [share / f"{number}" for number in range(past.FEW_FOLDERS + 1)]
    for folder in folders:
        folder.mkdir()
        (folder / "un.txt").write_text("avant")
    back_up()
    for folder in folders:
        (folder / "un.txt").write_text("après, et plus long")
    back_up()
    first, second = looked_at.snapshots()
    told = {one.path for one in looked_at.differences(first, second)}
    assert told >= {f"{folder}/un.txt" for folder in folders}
    assert engine.listed == set()


@pytest.mark.parametrize(("files_in_a_folder", "most"), [(2_000, 2_000), (1, 224)])
def test_a_portion_that_is_restored_does_not_cross_too_many_folders(
    back_up, engine, tmp_path, files_in_a_folder, most
):
    back_up()
    looked_at = SnapshotPast(engine, "host", tmp_path / "scratch", live=True, may_show=False)
    (snapshot,) = looked_at.snapshots()
    wanted = [
        Planned(path=f"/p/{n // files_in_a_folder:05}/{n}", data_set="", how=How.ADDED)
        for n in range(6_000)
    ]
    portions = list(looked_at.batches(snapshot, wanted))
    assert [one for portion in portions for one in portion] == wanted
    assert max(map(len, portions)) == most
