"""Links that a user plants in a protected folder lead root nowhere else."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.adapters import below
from releve.adapters.below import open_folder, relative
from releve.adapters.clock import SystemClock
from releve.adapters.linux.place import HandlePlace
from releve.adapters.portable.place import InodePlace
from releve.adapters.store import canaries
from releve.adapters.store.keeper import Keeper


@pytest.fixture(params=["openat2", "step by step"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "openat2":
        monkeypatch.setattr(below, "_libc", None)
    return str(request.param)


def test_a_folder_below_is_opened_and_a_link_on_the_way_is_refused(
    tmp_path: Path, way: str
) -> None:
    (tmp_path / "a" / "b c").mkdir(parents=True)
    (tmp_path / "dehors" / "b c").mkdir(parents=True)
    (tmp_path / "a" / "lien").symlink_to(tmp_path / "dehors")
    top = os.open(tmp_path / "a", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fd = open_folder(top, "b c")
        assert os.fstat(fd).st_ino == (tmp_path / "a" / "b c").stat().st_ino
        os.close(fd)
        fd = open_folder(top, "")
        assert os.fstat(fd).st_ino == (tmp_path / "a").stat().st_ino
        os.close(fd)
        for wrong in ("lien", "lien/b c"):
            with pytest.raises(OSError, match=r".") as refused:
                open_folder(top, wrong)
            assert refused.value.errno in (errno.ELOOP, errno.ENOTDIR), way
    finally:
        os.close(top)
    assert relative("/srv/a", "/srv/a/b/c") == "b/c"
    assert relative("/srv/a", "/srv/a") == ""


@pytest.fixture(params=["exact", "portable"])
def keeper(
    request: pytest.FixtureRequest, on: Callable[[str], Path], need: Callable[..., None]
) -> Iterator[Keeper]:
    need("root")
    base = on("ext4")
    share = base / "share"
    (share / "a" / "b").mkdir(parents=True)
    (share / "a" / "b" / "lettre.txt").write_text("bonjour")
    (base / "dehors" / "b").mkdir(parents=True)
    (base / "dehors" / "b" / "secret.txt").write_text("secret")
    place = HandlePlace(str(share)) if request.param == "exact" else InodePlace(str(share))
    made = Keeper(str(base / "store"), place, SystemClock())
    made.add_folder(str(share))
    yield made
    made.close()


def test_a_folder_that_becomes_a_link_while_it_is_walked_leads_nowhere(keeper: Keeper) -> None:
    share = Path(keeper.folders[0])
    walk = keeper.walk.below(str(share))
    met = [next(walk).path, next(walk).path, next(walk).path]  # a/b waits for its turn
    assert met[-1] == str(share / "a" / "b")
    (share / "a").rename(share.parent / "ailleurs")
    (share / "a").symlink_to(share.parent / "dehors")
    assert [entry.name for entry in walk] == []


def test_witnesses_are_neither_planted_nor_removed_through_a_link(keeper: Keeper) -> None:
    share, outside = Path(keeper.folders[0]), Path(keeper.folders[0]).parent / "dehors"
    assert len(canaries.plant(keeper, 0)) == 6
    (outside / "b" / ".~zz-sommaire.txt").write_text("not ours")
    (share / "a").rename(share.parent / "ailleurs")
    (share / "a").symlink_to(outside)
    assert canaries.remove(keeper, 0) == 2  # those of the share's own folder
    assert (outside / "b" / ".~zz-sommaire.txt").read_text() == "not ours"
    assert len(canaries.plant(keeper, 0)) == 2
    assert not (outside / ".000-sommaire.docx").exists()
    assert not (outside / "b" / ".000-sommaire.docx").exists()
