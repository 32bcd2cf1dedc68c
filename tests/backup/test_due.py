import datetime as dt

import pytest

from releve.flow.backup import due
from releve.model.backup import Version
from releve.recover.versions import beside, choose

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("minutes_ago", "wanted"), [(0, False), (59, False), (60, True), (6000, True), (-5, True)]
)
def test_a_backup_is_due_after_an_hour_or_when_the_clock_was_put_back(minutes_ago, wanted):
    assert due(NOW, NOW - dt.timedelta(minutes=minutes_ago)) is wanted


def test_the_first_backup_is_due():
    assert due(NOW, None)


def version(hour, source="snapshots"):
    return Version(path="/a", at=NOW.replace(hour=hour), source=source, id=str(hour))


def test_the_newest_version_not_after_the_time_is_chosen():
    versions = [version(9), version(11), version(10)]
    assert choose(versions, NOW.replace(hour=10, minute=30)) == version(10)
    assert choose(versions, None) == version(11)
    assert choose(versions, NOW.replace(hour=8)) is None


def test_of_two_of_the_same_instant_the_better_source_wins():
    assert choose([version(9, "held"), version(9)], None).source == "held"


def test_the_name_beside_keeps_its_extension():
    assert beside("/a/CR.v2.pdf", NOW) == "/a/CR.v2 (repris du 2026-11-22 12h00m00).pdf"
