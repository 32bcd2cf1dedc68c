"""Every attack is real: without a guard it destroys; a companion alone destroys nothing."""

import shutil

import msgspec
import pytest

from releve.apps.simulate import places
from releve.apps.simulate.arena import Arena
from releve.apps.simulate.attack_run import run_attack
from releve.apps.simulate.attacks import PROFILES

pytestmark = pytest.mark.need("loop", "namespaces", "btrfs", "encryptors")

# Few victims, little time: what they destroy shows, not how much.
SECONDS = 5.0
LIMIT = 4
WAIT_FOR_SAVES = {"racer", "edits-then-attack", "database", "inode-exhaustion"}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda row: row.name)
def test_an_unguarded_share_loses_files(profile, ground, need) -> None:
    need(*profile.needs)
    chosen = ground("ext4-inodes" if profile.name == "inode-exhaustion" else "btrfs")
    seconds = 20.0 if profile.name in WAIT_FOR_SAVES else SECONDS
    limit = 0 if profile.kind == "breaking" else LIMIT
    short = msgspec.structs.replace(
        profile, limit=limit if profile.name != "edits-then-attack" else 0, seconds=seconds
    )
    result = run_attack(chosen, short)
    if result.skipped:
        pytest.skip(result.skipped)
    assert result.files_lost > 0
    assert not result.stopped
    if profile.name != "ccrypt-r":  # one process for the whole tree keeps no log
        assert result.files_touched > 0


def test_attackers_live_in_a_namespace_of_their_own_and_end_with_it(ground, tmp_path) -> None:
    chosen = ground("btrfs")
    arena = Arena(chosen.ledger, tmp_path / "err")
    assert arena.enclosed
    assert arena.others() == []
    arena.close()
    assert not arena.is_alive()


def test_every_file_system_of_the_list_can_be_made_here(book, need) -> None:
    need("xfs")
    place = places.mount_image(book, "xfs")
    assert isinstance(place, places.Place)
    assert places.kind_of(place.root) == "xfs"


def test_a_missing_program_is_a_reason_not_a_failure(ground) -> None:
    profile = msgspec.structs.replace(PROFILES[0], needs=("no-such-program",))
    assert shutil.which("no-such-program") is None
    assert "no-such-program" in run_attack(ground("btrfs"), profile).skipped
