"""What a repository with very many files must not cost: waiting for its list, or holding it."""

import shlex

import pytest

from releve.adapters.linux import mounts
from releve.adapters.restic import tools
from releve.adapters.restic.lent import Node
from releve.apps.recover.state import RecoveryHome
from releve.flow.backup import EngineFailedError
from tests.recover.practice import tree


@pytest.fixture
def slow_list(tmp_path, monkeypatch):
    """The real restic, which begins to list and never ends; a file of `list` lets it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    real = shlex.quote(tools.find(tools.RESTIC).path)
    script = folder / "restic"
    script.write_text(
        "#!/bin/sh\n"
        'for word in "$@"; do if [ "$word" = ls ] && [ ! -e "$0.list" ]; then\n'
        f'  echo $$ > "$0.pid"; {real} "$@" | head -n 5; exec sleep 600; fi; done\n'
        f'exec {real} "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("RELEVE_TOOLS", str(folder))
    return script


def test_people_read_write_and_ask_a_database_while_the_snapshot_is_still_listed(
    recovery, slow_list
):
    driver = recovery.begin()
    for step in ("first_file", "first_write", "database_query"):
        recovery.reached(step)
    listing = slow_list.with_name("restic.pid")
    recovery.until(listing.exists)
    assert "listed" not in recovery.home.state().seconds
    letter = next((recovery.source / "patients").rglob("*.doc"))
    twin = recovery.target / letter.relative_to(recovery.source)
    assert twin.read_bytes() == letter.read_bytes()
    (recovery.target / "mot.txt").write_text("écrit avant la liste")
    recovery.run("stop", str(recovery.target))
    assert driver.wait(30) == 0
    assert mounts.mounted(str(recovery.target)) is None
    assert recovery.home.catalogue() is None, "half a list is no list"
    assert not list(recovery.home.path.glob(".catalogue*"))
    slow_list.with_name("restic.list").touch()
    recovery.run("start", str(recovery.target), "--until-local")
    report = recovery.finish()
    assert report["new"] == ["mot.txt"]
    (recovery.target / "mot.txt").unlink()
    assert tree(recovery.target) == tree(recovery.source)


@pytest.fixture
def home(tmp_path, need):
    need("root")
    made = RecoveryHome(tmp_path / "cabinet")
    made.make()
    return made


def nodes(count):
    return (Node(path=f"d/é {n}.txt", type="file", size=n, inode=n) for n in range(count))


def test_the_catalogue_gives_back_what_was_listed(home):
    assert home.catalogue() is None
    assert list(home.catalogued(nodes(25_000))) == list(nodes(25_000))
    assert list(home.catalogue()) == list(nodes(25_000))


def test_a_list_that_breaks_off_is_no_catalogue_and_leaves_nothing(home):
    def broken():
        yield from nodes(2_500)
        raise EngineFailedError(1, "the link broke")

    with pytest.raises(EngineFailedError):
        list(home.catalogued(broken()))
    assert home.catalogue() is None
    (home.path / ".catalogue.jsonl.1.new").write_text("of a driver that was killed")
    taken = home.catalogued(nodes(2_500))
    next(taken)
    taken.close()
    assert home.catalogue() is None
    assert not list(home.path.glob(".catalogue*"))
