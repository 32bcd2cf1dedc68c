"""What a plan means for one folder: pure."""

import datetime as dt

import pytest

from releve.model.clean import Newer, Plan, SetPlan, Why, Withheld
from releve.model.errors import UsageError
from releve.recover.course import Cause, NoCleanPointError, course

AT = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)
WHY = Why(code="active", fr="programme", en="program")
BASE, BASES, LATE, EARLY = "b" * 64, "d" * 64, "e" * 64, "a" * 64


def newer(path: str, size: int = 5) -> Newer:
    return Newer(path=path, snapshot=LATE, at=AT, sha256="s", size=size)


def withheld(path: str, **facts) -> Withheld:
    return Withheld(path=path, snapshot=LATE, why=WHY, **facts)


def plan(*sets: SetPlan) -> Plan:
    return Plan(cut=AT, first_suspect=LATE, sets=sets)


def folder(path: str = "/srv/c", snapshot: str | None = BASE, **facts) -> SetPlan:
    return SetPlan(data_set=path, path=path, snapshot=snapshot, at=AT, **facts)


def test_newer_files_are_laid_over_the_clean_snapshot_in_care_of_the_room():
    made = course(plan(folder(newer=(newer("/srv/c/a"), newer("/srv/c/b", 90)))), most_bytes=50)
    assert (made.folder, made.snapshot) == ("/srv/c", BASE)
    assert [(p.path, p.cause) for p in made.pieces] == [("a", Cause.NEWER)]
    assert [p.path for p in made.left] == ["b"]


def test_what_the_clean_snapshot_may_not_give_back_is_replaced_or_not_shown():
    held = (
        withheld("/srv/c/x.exe", is_shown=True, instead=EARLY, sha256="s", size=7),
        withheld("/srv/c/y.exe", is_shown=True),
        withheld("/srv/c/later.exe"),
    )
    made = course(plan(folder(withheld=held)), most_bytes=0)
    assert [(p.path, p.snapshot, p.cause) for p in made.pieces] == [("x.exe", EARLY, Cause.INSTEAD)]
    assert [h.path for h in made.hidden] == ["y.exe"], "what came later is not below at all"


def test_databases_come_from_their_own_last_clean_snapshot():
    bases = [folder(f"/srv/c/{name}.db", BASES) for name in "ab"]
    made = course(
        plan(folder(), *bases, folder("/srv/c/old.db", EARLY), folder("/srv/c/no.db", None))
    )
    assert made.bases == BASES
    assert [(p.path, p.snapshot) for p in made.pieces] == [("old.db", EARLY)]
    assert [(h.path, h.is_database) for h in made.hidden] == [("no.db", True)]
    assert set(made.snapshots) == {BASE, BASES, EARLY}


def test_one_of_several_folders_must_be_named_and_a_part_of_one_may_be():
    both = plan(folder(newer=(newer("/srv/c/p/a"), newer("/srv/c/q/b"))), folder("/srv/d"))
    with pytest.raises(UsageError, match="--folder"):
        course(both)
    made = course(both, "/srv/c/p")
    assert [p.path for p in made.pieces] == ["a"]
    assert made.elsewhere == ("/srv/d",)
    with pytest.raises(NoCleanPointError):
        course(both, "/home")


def test_of_several_folders_the_one_that_comes_back_to_its_own_place_needs_no_name():
    """The words of the incident's page name the place alone, in the middle of the night."""
    both = plan(folder(newer=(newer("/srv/c/p/a"), newer("/srv/c/q/b"))), folder("/srv/d"))
    assert course(both, target="/srv/d").folder == "/srv/d"
    assert course(both, target="/srv/c/").folder == "/srv/c"
    assert [p.path for p in course(both, target="/srv/c/p").pieces] == ["a"]
    assert course(both, "/srv/d", target="/srv/c").folder == "/srv/d", "a name says more"
    with pytest.raises(UsageError) as elsewhere:
        course(both, target="/mnt/secours")
    assert "Pas de point sain" not in elsewhere.value.fr, "there may be one: nothing was asked yet"
    assert course(plan(folder()), target="/mnt/secours").folder == "/srv/c"


def test_without_a_clean_snapshot_nothing_is_opened():
    with pytest.raises(NoCleanPointError, match="no snapshot"):
        course(plan(folder(snapshot=None)))
