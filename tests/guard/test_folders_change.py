"""The folders that a guard is asked to protect change from one start to the next: order, fewer, more.

What the store holds follows each folder by its path, never by its place among the words.
"""

import contextlib
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from releve.apps.simulate.manifest import Entry, take
from tests.guard.ground import Attackers, Ground, GuardRun, build, differences, letter
from tests.guard.test_killed import over, settled, told

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]


class Two:
    """Two folders of one file system, one store."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.first, self.second = ground.base / "cabinet", ground.base / "annexe"
        self.before: dict[Path, dict[str, Entry]] = {
            folder: build(folder, 24, links=False) for folder in (self.first, self.second)
        }
        self.attackers: Attackers = ground.attackers()

    def guard(self, *folders: Path) -> GuardRun:
        run = self.ground.guard(folders=list(folders))
        run.ready()
        return run

    def attack(self, folder: Path, guard: GuardRun) -> None:
        over(self.attackers, self.attackers.python("mixed", folder, 3, self.mark(folder)), guard)

    def mark(self, folder: Path) -> Path:
        return self.ground.base / f"begun-{folder.name}"

    def changed(self, folder: Path) -> list[str]:
        return differences(self.before[folder], folder)


@pytest.fixture
def two(ground_on: Callable[[str], Ground]) -> Two:
    return Two(ground_on("ext4"))


def bugs(guard: GuardRun) -> list[object]:
    return [line for line in guard.all("alert") if line["kind"] == "internal_error"]


def test_in_another_order_nothing_is_missed_and_each_is_still_guarded(two: Two) -> None:
    two.guard(two.first, two.second).end()
    guard = two.guard(two.second, two.first)
    settled(guard)
    assert guard.all("stopped") == [], told(guard)
    for folder in (two.first, two.second):
        two.attack(folder, guard)
        settled(guard)
        assert two.changed(folder) == [], told(guard)
    assert {line["action"] for line in guard.all("stopped")} == {"killed"}
    assert bugs(guard) == [], guard.words()


def test_a_store_of_before_that_does_not_say_whose_number_is_whose(two: Two) -> None:
    two.guard(two.first, two.second).end()
    with contextlib.closing(sqlite3.connect(two.ground.store / "index.sqlite")) as index:
        assert index.execute("DELETE FROM setting WHERE key='folders'").rowcount == 1
        index.commit()
    guard = two.guard(two.second, two.first)
    settled(guard)
    assert guard.all("stopped") == [], told(guard)
    two.attack(two.first, guard)
    settled(guard)
    assert two.changed(two.first) == [], told(guard)
    assert bugs(guard) == [], guard.words()


@pytest.mark.parametrize("dropped", ["first", "second"])
def test_a_folder_that_is_protected_no_more_is_left_alone_and_the_other_kept(
    two: Two, dropped: str
) -> None:
    gone, kept = (two.first, two.second) if dropped == "first" else (two.second, two.first)
    two.guard(two.first, two.second).end()
    guard = two.guard(kept)
    two.attackers.wait(two.attackers.python("mixed", gone, 3, two.mark(gone)))
    settled(guard)
    assert two.changed(gone) != []
    assert (guard.all("stopped"), bugs(guard)) == ([], []), guard.words()
    two.attack(kept, guard)
    settled(guard)
    assert two.changed(kept) == [], told(guard)
    assert bugs(guard) == [], guard.words()


def test_protected_again_it_is_taken_as_it_is_then(two: Two) -> None:
    """What people did meanwhile was nobody's attack on what is guarded."""
    two.guard(two.first, two.second).end()
    two.guard(two.first).end()
    for number, path in enumerate(sorted(two.second.rglob("*.txt"))):
        path.write_bytes(letter(900 + number, 4000))
    subprocess.run(["rm", "-r", two.second / "Dossier 1"], check=True)
    two.before[two.second] = take(two.second)
    guard = two.guard(two.first, two.second)
    settled(guard)
    assert guard.all("stopped") == [], told(guard)
    assert two.changed(two.second) == []
    two.attack(two.second, guard)
    settled(guard)
    assert two.changed(two.second) == [], told(guard)
    assert bugs(guard) == [], guard.words()
