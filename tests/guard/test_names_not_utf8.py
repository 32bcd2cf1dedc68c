"""File names that are not UTF-8 (old Windows shares, or an attacker's own): stopped, rolled back and said alike."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from releve.model.lines import RolledBack, in_utf8
from tests.guard.ground import Ground, differences, letter


@pytest.mark.root
@pytest.mark.need("namespaces")
@pytest.mark.parametrize("script", ["inplace", "rename"])
def test_an_attack_on_files_whose_names_are_not_utf8_is_stopped_and_undone(
    ground_on: Callable[[str], Ground], script: str
) -> None:
    ground = ground_on("ext4")
    ground.share.mkdir()
    for number in range(24):
        folder = os.fsencode(ground.share) + b"/0 Dossier \xe9%d" % (number % 3)
        Path(os.fsdecode(folder)).mkdir(exist_ok=True)
        file = folder + b"/0 re\xe7u %02d.txt" % number
        Path(os.fsdecode(file)).write_bytes(letter(number, 5000))
    before = ground.build(12, links=False)
    people = ground.attackers()
    guard = ground.guard()
    guard.ready()
    people.python(script, ground.share, "0.05")
    stopped = guard.wait("stopped")
    assert stopped["action"] == "killed"
    rolled = guard.wait("rolled_back", where=lambda line: line["family"] == stopped["family"])
    assert (rolled["lost"], rolled["newest_save_lost"]) == ([], [])
    assert differences(before, ground.share) == []
    assert guard.all("alert") == [], guard.words()
    assert any("\\xe7" in point["path"] for point in stopped["points"])


@pytest.mark.parametrize(
    ("name", "shown"), [("re\udce7u", "re\\xe7u"), ("\ud83d", "\\ud83d"), ("reçu", "reçu")]
)
def test_a_line_is_written_whatever_the_name(name: str, shown: str) -> None:
    line = RolledBack(
        family="1", restored=1, lost=(name,), newest_save_lost=(), quarantined=(), rollback_ms=2.0
    )
    told = in_utf8(line)
    assert msgspec.json.decode(msgspec.json.encode(told), type=RolledBack).lost == (shown,)
    assert msgspec.structs.replace(told, lost=line.lost) == line
