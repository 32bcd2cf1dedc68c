"""A file that an attacker and an honest program both touched: both versions are there, and it is said."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.guard.ground import MARK, Ground, differences, letter

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]
HONEST = letter(4242, 7000)
FIRST = "0 agenda.txt"  # where the attacker begins


class Both:
    """A share, a slow attacker, and somebody who edits the file that was damaged first."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.file = ground, ground.share / FIRST
        ground.share.mkdir()
        self.original = letter(1, 5000)
        self.file.write_bytes(self.original)
        self.before = ground.build(24, links=False)
        self.people = ground.attackers()
        self.edit = ground.logs / "edit.txt"
        self.edit.write_bytes(HONEST)
        self.guard = ground.guard()
        self.guard.ready()

    def honest(self, command: str) -> None:
        words = command.format(edit=self.edit, file=self.file)
        assert self.people.wait(self.people.start(words)) == 0

    def attack(self, script: str) -> None:
        self.people.python(script, self.ground.share, "0.8")  # time for the honest save

    def damaged(self) -> None:
        until = time.monotonic() + 10
        while self.file.exists() and self.file.read_bytes() == self.original:
            assert time.monotonic() < until
            time.sleep(0.005)

    def beside(self) -> list[Path]:
        """What stands there that did not before."""
        names = {name.partition("/")[0] for name in self.before}
        return [
            p
            for p in self.ground.share.iterdir()
            if p.name not in names and p.name != MARK and p.is_file()
        ]


@pytest.fixture(params=["ext4", "btrfs"])
def both(ground_on: Callable[[str], Ground], request: pytest.FixtureRequest) -> Both:
    return Both(ground_on(request.param))


def both_are_there(both: Both, rolled: dict[str, object]) -> None:
    """One under its name, one beside it, and the line names that."""
    assert (rolled["lost"], rolled["newest_save_lost"]) == ([], [])
    (beside,) = both.beside()
    found = {FIRST: both.file.read_bytes(), beside.name: beside.read_bytes()}
    assert set(found.values()) == {both.original, HONEST}
    assert rolled["kept_both"] == [str(beside)]
    assert "autre version" in beside.name
    assert differences(both.before, both.ground.share, found) == []


SAVES = {
    "in place": "cat '{edit}' > '{file}'",
    "renamed over": "cp '{edit}' '{file}~' && mv '{file}~' '{file}'",
}


@pytest.mark.parametrize(
    ("script", "save"),
    [
        ("inplace", "in place"),
        ("inplace", "renamed over"),
        ("rename", "in place"),
        ("beside", "renamed over"),
    ],
)
def test_an_honest_save_after_the_damage_and_the_original_are_both_there(
    both: Both, script: str, save: str
) -> None:
    both.attack(script)
    both.damaged()
    both.honest(SAVES[save])
    both_are_there(both, both.guard.wait("rolled_back", 40))


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES.keys())
def test_an_honest_save_before_the_damage_is_what_comes_back(both: Both, save: str) -> None:
    both.honest(save)
    time.sleep(2.5)  # older than the window, also where copies are held and others work beside
    both.original = HONEST
    both.attack("inplace")
    rolled = both.guard.wait("rolled_back")
    assert (rolled["lost"], rolled["newest_save_lost"], rolled["kept_both"]) == ([], [], [])
    assert both.beside() == []
    assert differences(both.before, both.ground.share, {FIRST: HONEST}) == []
