"""A folder as of a time from the held originals, read beside the guard that holds them."""

import datetime as dt
import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from releve.adapters.clock import SystemClock
from releve.adapters.linux.place import HandlePlace
from releve.adapters.portable.place import InodePlace
from releve.adapters.store.keeper import Keeper
from releve.apps.cli.main import run
from releve.model.held import Judged
from tests.backup.conftest import facts


@pytest.fixture(params=["exact", "portable"])
def keeper(tmp_path, request, need):
    folder = tmp_path / "share"
    (folder / "lettres" / "2026").mkdir(parents=True)
    (folder / "lettres" / "vide").mkdir()
    for n in range(12):
        letter = folder / "lettres" / ("2026" if n % 2 else "") / f"CR n°{n}.txt"
        letter.write_text(f"letter {n} " * (n + 1))
        letter.chmod(0o640)
        os.utime(letter, ns=(10**18 + n, 10**18 + 123_456_789 + n))
    (folder / "lettres" / "lien").symlink_to("CR n°0.txt")
    (folder / "lettres" / "double.txt").hardlink_to(folder / "lettres" / "CR n°2.txt")
    (folder / "lettres" / "2026").chmod(0o750)
    if request.param == "exact":
        need("root")
        place = HandlePlace(str(folder))
        os.setxattr(folder / "lettres" / "CR n°0.txt", "user.dossier", b"7")
        os.chown(folder / "lettres" / "CR n°0.txt", 1234, 1235)
    else:
        place = InodePlace(str(folder))
    made = Keeper(str(tmp_path / "store"), place, SystemClock())
    made.add_folder(str(folder))
    list(made.baseline(0, "", lambda _files, _bytes: None))
    made.complete(0)
    made.commit()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "share" / "lettres"


@pytest.fixture
def restore(tmp_path, capsys):
    def call(path, *words):
        capsys.readouterr()
        options = ("--json", "--store", str(tmp_path / "store"), "--state", str(tmp_path / "no"))
        status = run(["restore", str(path), *options, *words])
        said = capsys.readouterr()
        return status, [json.loads(line) for line in said.out.splitlines()], said.err

    return call


def notice(keeper, writer="w"):
    """What the guard holds and notes of what changed."""
    for result in keeper.baseline(0, writer, lambda _files, _bytes: None):
        if result.generation is not None:
            keeper.judge(result.generation.id, Judged.CLEAN)
    keeper.commit()


def now():
    # Files get their times from the kernel's coarse clock, which is behind by up to a step.
    time.sleep(0.05)
    at = dt.datetime.now(dt.UTC).isoformat()
    time.sleep(0.05)
    return at


def tree(folder):
    """Every entry with content, owner, mode, mtime and attributes."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("folder", path.stat().st_mode, path.stat().st_uid)
        else:
            attributes = {a: os.getxattr(path, a) for a in os.listxattr(path)}
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[name] = (digest, facts(path), attributes)
    return found


def spoil(folder):
    """Deleted, renamed, moved, overwritten, and new work beside."""
    (folder / "CR n°0.txt").unlink()
    (folder / "CR n°4.txt").rename(folder / "CR n°4.txt.locked")
    (folder / "CR n°6.txt").rename(folder / "2026" / "moved.txt")
    (folder / "CR n°8.txt").write_text("newer work")
    (folder / "2026").rename(folder / "archives")
    (folder / "new.txt").write_text("made since")


def test_a_folder_comes_back_beside_as_it_was_under_the_names_of_that_time(keeper, folder, restore):
    before, at = tree(folder), now()
    spoil(folder)
    notice(keeper)
    after = tree(folder)
    status, said, _ = restore(folder, "--at", at)
    assert status == 0
    plan, done = said[0], said[-1]
    assert [line["event"] for line in said if line["event"] != "progress"] == ["plan", "restored"]
    assert [line["percent"] for line in said if line["event"] == "progress"][-1] == 100
    assert (plan["make"], plan["replace"], plan["not_held"]) == (14, 0, 0)
    assert (done["source"], done["made"], done["failed"]) == ("held", 14, [])
    back = Path(done["to"])
    assert back != folder
    assert tree(back) == before
    assert (back / "double.txt").stat().st_ino == (back / "CR n°2.txt").stat().st_ino
    assert tree(folder) == after


def test_in_place_nothing_newer_is_replaced_without_yes_and_the_plan_names_it(
    keeper, folder, restore
):
    before, at = tree(folder), now()
    spoil(folder)
    notice(keeper)
    after = tree(folder)
    status, said, err = restore(folder, "--at", at, "--in-place")
    assert (status, said) == (78, [])
    assert "CR n°8.txt" in json.loads(err)["message"]
    assert tree(folder) == after

    status, said, _ = restore(folder, "--at", at, "--missing")
    assert (status, said[0]["replace"], said[-1]["replaced"], said[-1]["kept"]) == (0, 1, 0, 1)
    assert (folder / "CR n°8.txt").read_text() == "newer work"
    assert tree(folder).items() >= {k: v for k, v in before.items() if "n°8" not in k}.items()

    status, said, _ = restore(folder, "--at", at, "--in-place", "--yes")
    assert (status, said[-1]["replaced"], said[-1]["made"]) == (0, 1, 0)
    assert tree(folder).items() >= before.items()
    assert (folder / "new.txt").read_text() == "made since"
    assert (folder / "CR n°4.txt.locked").exists()


def test_a_folder_that_is_gone_comes_back_as_before_it_was_emptied(keeper, folder, restore):
    before = tree(folder)
    time.sleep(0.05)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.rmdir()
    notice(keeper)
    status, said, _ = restore(folder)
    assert (status, said[-1]["to"]) == (0, str(folder))
    assert tree(folder) == before


def test_what_was_judged_bad_is_not_brought_and_what_has_no_version_is_told(
    keeper, folder, restore
):
    (folder / "CR n°8.txt").write_bytes(os.urandom(500))
    (folder / "crypto.txt").write_bytes(os.urandom(500))
    for result in keeper.baseline(0, "w", lambda _files, _bytes: None):
        if result.generation is not None:
            keeper.judge(result.generation.id, Judged.BAD)
    keeper.commit()
    status, said, _ = restore(folder, "--at", now())
    assert (status, said[0]["not_held"], said[0]["not_held_names"]) == (0, 1, ["crypto.txt"])
    back = Path(said[-1]["to"])
    assert (back / "CR n°8.txt").read_text() == "letter 8 " * 9
    assert not (back / "crypto.txt").exists()


def test_a_name_used_twice_is_given_to_who_had_it_then(keeper, folder, restore):
    """An editor saves by writing a new file over the old one's name."""
    at = now()
    (folder / "CR n°0.txt.tmp").write_text("second")
    notice(keeper)
    (folder / "CR n°0.txt.tmp").rename(folder / "CR n°0.txt")
    notice(keeper)
    back = Path(restore(folder, "--at", at)[1][-1]["to"])
    assert (back / "CR n°0.txt").read_text() == "letter 0 "
    assert not (back / "CR n°0.txt.tmp").exists()
    listed = restore(folder, "--list")[1]
    assert all(v["is_folder"] and v["source"] == "held" for v in listed)
    newest = Path(restore(folder, "--to", f"{folder}-now")[1][-1]["to"])
    assert (newest / "CR n°0.txt").read_text() == "second"


def test_a_damaged_held_version_is_refused_and_nothing_is_placed(keeper, folder, restore, tmp_path):
    held = [
        p for p in (tmp_path / "store").glob("*/**/*") if p.is_file() and "sqlite" not in p.name
    ]
    for path in held:
        path.write_bytes(b"")
    status, said, _ = restore(folder, "--at", now())
    assert status == 96
    assert [line["event"] for line in said] == ["plan"]
    assert not list(folder.parent.glob("lettres (*"))


def test_a_time_before_the_first_baseline_is_not_guessed(keeper, folder, restore):
    assert restore(folder, "--at", "2020-01-01")[0] == 77
