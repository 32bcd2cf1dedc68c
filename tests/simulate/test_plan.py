"""What a call's words choose."""

import pytest

from releve.apps.simulate import attacks, honest
from releve.apps.simulate.places import FILE_SYSTEMS
from releve.apps.simulate.plan import Plan, make_plan
from releve.model.errors import UsageError


def plan(*, full: bool = False, only=(), fs=(), portable: bool = False) -> Plan:
    return make_plan(full=full, only=only, fs=fs, portable=portable)


def test_quick_shows_every_file_system_and_every_kind_of_attack() -> None:
    chosen = plan()
    assert {part.fs for part in chosen.chapters} == set(FILE_SYSTEMS)
    kinds = {row.kind for part in chosen.chapters for row in part.attacks}
    assert kinds == {"encryptor", "evasion", "wiper", "breaking"}
    assert chosen.smb


def test_quick_shows_honest_work_that_no_rule_was_tuned_on() -> None:
    assert any(row.held_out for part in plan().chapters for row in part.honest)


def test_full_leaves_no_profile_out() -> None:
    chosen = plan(full=True)
    assert {row.name for part in chosen.chapters for row in part.attacks} == {
        row.name for row in attacks.PROFILES
    }
    assert {row.name for part in chosen.chapters for row in part.honest} == {
        row.name for row in honest.WORKLOADS
    }


def test_only_runs_what_was_named_where_it_was_asked() -> None:
    chosen = plan(only=("subvolume", "untar"), fs=("btrfs",))
    (part,) = chosen.chapters
    assert [row.name for row in part.attacks] == ["subvolume"]
    assert [row.name for row in part.honest] == ["untar"]
    assert not chosen.smb


def test_the_smb_client_can_be_asked_for_alone() -> None:
    chosen = plan(only=("smb",), fs=("ext4",))
    assert chosen.smb == "ext4"
    assert chosen.size() == 1


def test_without_rights_nothing_is_planned_that_needs_them() -> None:
    chosen = plan(full=True, portable=True)
    (part,) = chosen.chapters
    assert not {"subvolume", "nodatacow", "inode-exhaustion"} & {row.name for row in part.attacks}
    assert not chosen.smb


@pytest.mark.parametrize("words", [{"only": ("nothing",)}, {"fs": ("fat",)}])
def test_an_unknown_name_is_refused_with_the_known_ones(words) -> None:
    with pytest.raises(UsageError, match="known"):
        plan(**words)


def test_names_are_unique_and_said_in_both_languages() -> None:
    rows = [*attacks.PROFILES, *attacks.NETWORK, *attacks.COMPANIONS, *honest.WORKLOADS]
    names = [row.name for row in rows]
    assert len(names) == len(set(names))
    assert all(row.title and row.title_en for row in rows)


def test_at_least_15_honest_workloads_are_held_out() -> None:
    assert sum(row.held_out for row in honest.WORKLOADS) >= 15
