"""File names that are not UTF-8 (old Windows shares, or an attacker's own): stopped, rolled back and said alike."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from releve.apps.simulate.manifest import take
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


@pytest.mark.root
@pytest.mark.need("namespaces")
def test_an_attacker_whose_program_has_no_utf8_name_is_stopped_and_told(
    ground_on: Callable[[str], Ground],
) -> None:
    ground = ground_on("ext4")
    before = ground.build(24, links=False)
    program = ground.base / "py\udce9"
    shutil.copy(Path(sys.executable).resolve(), program)
    people = ground.attackers()
    guard = ground.guard()
    guard.ready()
    script = Path(__file__).with_name("attacks.py")
    called = f"\"{ground.base}/$(printf 'py\\351')\" -S {script} inplace '{ground.share}' 0.05"
    people.start(f"PYTHONHOME={sys.base_prefix} {called}")
    stopped = guard.wait("stopped")
    assert (stopped["action"], stopped["program"]) == ("killed", "py\\xe9")
    rolled = guard.wait("rolled_back", where=lambda line: line["family"] == stopped["family"])
    assert rolled["lost"] == []
    assert differences(before, ground.share) == []
    assert guard.all("alert") == [], guard.words()


@pytest.mark.root
@pytest.mark.need("namespaces")
def test_attributes_and_witnesses_under_such_names_blind_nobody(
    ground_on: Callable[[str], Ground],
) -> None:
    """An attribute that was there comes back; one that the attacker set beforehand hides no file."""
    ground = ground_on("ext4")
    ground.share.mkdir()
    (ground.share / "re\udce7us").mkdir()
    (ground.share / "re\udce7us" / "a.txt").write_bytes(letter(1, 4000))
    ground.build(24, links=False)
    for file in ground.share.rglob("courrier 00*"):
        os.setxattr(file, b"user.\xff", b"1")
    before = take(ground.share)
    people = ground.attackers()
    guard = ground.guard("--canaries")
    guard.ready()
    witnesses = take(ground.share)
    marking = (
        "import os, sys\n"
        "for file in sys.argv[1:]: os.setxattr(file, bytes([117,115,101,114,46,254]), bytes([49]))"
    )
    marked = " ".join(f"'{file}'" for file in ground.share.rglob("courrier 01*"))
    assert people.wait(people.start(f'{sys.executable} -S -c "{marking}" {marked}')) == 0
    time.sleep(1)  # each change of attributes is held
    people.python("inplace", ground.share, "0.05")
    stopped = guard.wait("stopped")
    rolled = guard.wait("rolled_back", where=lambda line: line["family"] == stopped["family"])
    assert rolled["lost"] == []
    assert guard.all("alert") == [], guard.words()
    assert set(take(ground.share)) == set(witnesses), "the witnesses, too"
    content = {name: one.digest for name, one in before.items()}
    assert {name: one.digest for name, one in take(ground.share).items() if name in content} == (
        content
    )
    for file in ground.share.rglob("courrier 00*"):
        assert os.getxattr(file, b"user.\xff") == b"1"
    assert guard.end() == 0
    again = ground.guard()  # takes the witnesses away
    again.ready()
    assert not list(ground.share.rglob(".000-sommaire.docx"))


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
