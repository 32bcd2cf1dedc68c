"""Versions from the held originals, read beside the guard that holds them."""

import datetime as dt
import json
import os
from pathlib import Path

import pytest

from releve.adapters.clock import SystemClock
from releve.adapters.linux.place import HandlePlace
from releve.adapters.portable.place import InodePlace
from releve.adapters.store.keeper import Keeper
from releve.apps.cli.main import run
from releve.model.held import Judged, Name


@pytest.fixture(params=["exact", "portable"])
def kept(tmp_path, request, need):
    """A folder with a keeper that holds it; `hold(path, judged)` renews one file."""
    folder = tmp_path / "share"
    (folder / "lettres").mkdir(parents=True)
    letter = folder / "lettres" / "a.txt"
    letter.write_text("first")
    letter.chmod(0o640)
    os.utime(letter, ns=(10**18, 10**18))
    if request.param == "exact":
        need("root")
        place = HandlePlace(str(folder))
    else:
        place = InodePlace(str(folder))
    keeper = Keeper(str(tmp_path / "store"), place, SystemClock())
    keeper.add_folder(str(folder))
    list(keeper.baseline(0, "", lambda _files, _bytes: None))
    keeper.commit()
    yield keeper, letter
    keeper.close()


@pytest.fixture
def restore(tmp_path, capsys):
    def call(path, *words):
        capsys.readouterr()
        options = ("--json", "--store", str(tmp_path / "store"), "--state", str(tmp_path / "no"))
        status = run(["restore", str(path), *options, *words])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


def renew(keeper, letter, content, judged):
    letter.write_text(content)
    keeper.hold(keeper.place.key_of(str(letter)), "w", folder=0, judged=judged)
    keeper.commit()


def test_an_older_version_comes_from_the_store_with_its_metadata(kept, restore):
    keeper, letter = kept
    before = dt.datetime.now(dt.UTC).isoformat()
    renew(keeper, letter, "second, longer", Judged.CLEAN)
    status, versions = restore(letter, "--list")
    assert status == 0
    assert [(v["source"], v["size"]) for v in versions] == [("held", 5), ("held", 14)]
    status, (done,) = restore(letter, "--at", before, "--in-place", "--yes")
    assert (status, done["replaced"]) == (0, 1)
    assert letter.read_text() == "first"
    assert letter.stat().st_mode & 0o777 == 0o640
    assert letter.stat().st_mtime_ns == 10**18


def test_a_version_that_was_judged_bad_is_not_offered(kept, restore):
    keeper, letter = kept
    renew(keeper, letter, "encrypted", Judged.BAD)
    _, versions = restore(letter, "--list")
    assert [v["size"] for v in versions] == [5]


def test_a_file_whose_folder_is_gone_comes_back_to_its_place(kept, restore):
    keeper, letter = kept
    letter.unlink()
    letter.parent.rmdir()
    list(keeper.baseline(0, "", lambda _files, _bytes: None))
    keeper.commit()
    status, (done,) = restore(letter)
    assert (status, done["made"]) == (0, 1)
    assert Path(done["to"]).read_text() == "first"
    assert done["to"] == str(letter)


def test_a_file_that_nobody_holds_has_no_version(kept, restore, tmp_path):
    assert restore(tmp_path / "share/unknown.txt")[0] == 77


def test_a_name_in_a_folder_that_was_given_up_does_not_bar_the_file(kept):
    """`releve restore` makes a file in a folder of its own, moves it, removes the folder."""
    keeper, letter = kept
    beside = letter.parent / "passing"
    beside.mkdir()
    node = keeper.index.node(keeper.place.key_of(str(letter)))
    folder = keeper.place.key_of(str(beside))
    keeper.hold(folder, "w", folder=0, judged=Judged.CLEAN)
    keeper.index.add_name(node.id, Name(folder, b"a.txt"))  # told late: it stays known by it
    passing = keeper.index.node(folder)
    keeper.index.set_gone(passing.id, 1)
    keeper.prune_gone(2)
    assert [name.directory for name in keeper.index.names(node.id)] == [
        keeper.place.key_of(str(letter.parent))
    ]
