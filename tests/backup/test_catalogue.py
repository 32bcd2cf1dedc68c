"""The catalogue tells every past state as it was, whatever came, changed and went."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.adapters.scan.catalogue import SqliteCatalogue
from releve.flow.scan import hunt
from releve.flow.scan_ports import CatalogueError, Planned, UnknownSnapshotError
from releve.model.backup import Snapshot
from releve.model.clean import DataSet, Facts, How, Judgement, Verdict, Why

SET = DataSet(name="/s", path="/s")
START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def snapshot(number):
    at = START + number * dt.timedelta(hours=1)
    return Snapshot(id=f"{number:064x}", at=at, host="h", folders=("/s",))


def between(was, now):
    """What turns one state (path: content) into another."""
    for path in sorted({*was, *now}):
        if path not in now:
            yield Planned(path=path, data_set="/s", how=How.REMOVED)
        elif path not in was:
            yield Planned(path=path, data_set="/s", how=How.ADDED)
        elif was[path] != now[path]:
            yield Planned(path=path, data_set="/s", how=How.CHANGED)


def filled(path, states):
    catalogue, was = SqliteCatalogue(path), {}
    for number, now in enumerate(states):
        place = catalogue.place(snapshot(number), "r")
        assert place == number
        catalogue.plan(place, list(between(was, now)), [SET])
        waiting = catalogue.waiting(place)
        catalogue.put(place, {w.path: Facts(sha256=now[w.path], size=1) for w in waiting})
        clean = Judgement(data_set="/s", verdict=Verdict.CLEAN)
        catalogue.judge(place, [clean], done=True)
        was = now
    return catalogue


states = st.lists(
    st.dictionaries(st.sampled_from(["/s/a.txt", "/s/b.exe", "/s/c"]), st.sampled_from("xyz")),
    max_size=7,
)


@given(states)
@settings(max_examples=30, deadline=None)
def test_every_state_is_told_as_it_was(tmp_path_factory, given_states):
    catalogue = filled(tmp_path_factory.mktemp("c") / "catalogue.sqlite", given_states)
    was = {}
    for place, now in enumerate(given_states):
        told = {(c.path, c.how) for c in catalogue.changes(place, "/s")}
        assert told == {(p.path, p.how) for p in between(was, now)}
        known = catalogue.background(place, "/s")
        assert known.present == len(was)
        assert known.is_first == (not was)
        was = now
    versions = catalogue.versions("/s", 0)
    for place, now in enumerate(given_states):
        there = {
            v.path: v.facts.sha256
            for v in versions
            if v.first <= place and (v.until is None or v.until > place)
        }
        assert there == now
    catalogue.close()


def test_a_snapshot_keeps_its_place_and_is_found_by_its_beginning(tmp_path):
    catalogue = filled(tmp_path / "c.sqlite", [{}, {}])
    assert catalogue.place(snapshot(1), "r") == 1
    assert catalogue.snapshot("0" * 63 + "1") == snapshot(1).id
    for asked in ("", "0", "f"):
        with pytest.raises(UnknownSnapshotError):
            catalogue.snapshot(asked)


def test_a_new_indicator_makes_every_snapshot_that_has_the_content_unclean(tmp_path):
    catalogue = filled(tmp_path / "c.sqlite", [{"/s/a.txt": "x"}, {"/s/c": "y"}, {"/s/c": "x"}])
    why = Why(code="famille", fr="famille", en="family")
    assert list(hunt(catalogue, {"x": why})) == [0, 1, 2]
    told = [point.judgements[0].verdict for point in catalogue.points()]
    assert told == [Verdict.BAD, Verdict.CLEAN, Verdict.BAD]
    assert hunt(catalogue, {"unknown": why}) == ()
    assert [row[0] for row in catalogue.holders("x")] == ["/s/a.txt", "/s/c"]


def test_a_known_indicator_condemns_what_comes_later(tmp_path):
    catalogue = filled(tmp_path / "c.sqlite", [{}])
    why = Why(code="famille", fr="famille", en="family")
    catalogue.add_indicators({"x" * 64: why}, "list", START)
    assert catalogue.indicators(["x" * 64, "y"]) == {"x" * 64: why}


def test_a_file_that_is_no_catalogue_is_refused_with_a_remedy(tmp_path):
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(CatalogueError) as refused:
        SqliteCatalogue(path)
    assert "catalogue" in refused.value.remedy


def test_the_catalogue_is_readable_by_its_owner_only(tmp_path):
    filled(tmp_path / "c.sqlite", [{}]).close()
    assert (tmp_path / "c.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("ask", [SqliteCatalogue.waiting, lambda c, p: c.changes(p, "/s")])
def test_four_times_the_changes_are_four_times_the_work(tmp_path, ask):
    def steps(many):
        """Thousands of steps of SQLite's machine, which no load of this machine changes."""
        catalogue, count = SqliteCatalogue(tmp_path / f"{many}.sqlite"), 0
        for number in range(2):
            place = catalogue.place(snapshot(number), "r")
            how = How.CHANGED if number else How.ADDED
            planned = [Planned(path=f"/s/{n}", data_set="/s", how=how) for n in range(many)]
            catalogue.plan(place, planned, [SET])

        def counted():
            nonlocal count
            count += 1
            return 0

        catalogue._db.set_progress_handler(counted, 1_000)
        assert {one.how for one in ask(catalogue, 1)} == {How.CHANGED}
        catalogue.close()
        return count

    assert steps(2_000) < 6 * steps(500)
