"""Whole folders taken away: what lay in them comes back, and so do they, the protected one included."""

from collections.abc import Callable

import pytest

from tests.guard.ground import Ground, differences

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]


@pytest.mark.parametrize("whole", ["", "whole"], ids=["folders below", "the protected folder"])
@pytest.mark.parametrize("fs", ["ext4", "btrfs"])
def test_folders_that_were_deleted_with_all_in_them_come_back(
    ground_on: Callable[[str], Ground], fs: str, whole: str
) -> None:
    ground = ground_on(fs)
    ground.share.mkdir()
    before = ground.build(120, links=False)
    people = ground.attackers()
    guard = ground.guard()
    guard.ready()
    people.python("remove_folders", ground.share, whole)
    rolled = guard.wait("rolled_back")
    assert (rolled["lost"], rolled["newest_save_lost"]) == ([], [])
    assert differences(before, ground.share) == []
