"""The clean point: properties over any series, and the sentences of a few."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from releve.model.clean import (
    DataSet,
    Facts,
    Judgement,
    Kept,
    Point,
    Totals,
    Verdict,
    Why,
)
from releve.recover.clean_point import plan, standing

START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SETS = (DataSet(name="/a", path="/a"), DataSet(name="/b", path="/b"))
PATHS = ("/a/x", "/a/y", "/b/z")
RED = Why(code="destroyed", fr="détruit", en="destroyed")


def facts(verdict=Verdict.CLEAN, *, is_active=False, state="valid", name="s"):
    why = (RED,) if verdict is not Verdict.CLEAN else ()
    return Facts(sha256=name, size=3, state=state, is_active=is_active, verdict=verdict, why=why)


def judgement(name, verdict=Verdict.CLEAN, wounds=(), healed=(), alarmed=False):
    why = (RED,) if verdict is not Verdict.CLEAN else ()
    return Judgement(
        data_set=name,
        verdict=verdict,
        why=why,
        totals=Totals(added=2),
        wounds=tuple(wounds),
        healed=tuple(healed),
        alarmed=alarmed,
    )


def point(place, *judgements, ended=None, is_complete=True):
    at = START + place * HOUR
    return Point(
        snapshot=f"{place:064x}",
        at=at,
        ended_at=ended or at + HOUR / 4,
        judgements=judgements,
        is_complete=is_complete,
    )


names = st.sampled_from([s.name for s in SETS])
verdicts = st.sampled_from(list(Verdict))


@st.composite
def judged(draw, name):
    verdict = draw(verdicts)
    own = [path for path in PATHS if path.startswith(name)]
    wounds = draw(st.sets(st.sampled_from(own))) if verdict is not Verdict.CLEAN else ()
    healed = draw(st.sets(st.sampled_from(own)))
    alarmed = verdict is not Verdict.CLEAN and draw(st.booleans())
    return judgement(name, verdict, wounds, set(healed) - set(wounds), alarmed)


@st.composite
def series(draw):
    count = draw(st.integers(0, 9))
    points = [
        point(
            place,
            *(draw(judged(s.name)) for s in SETS if draw(st.integers(0, 9))),
            is_complete=draw(st.booleans()) or draw(st.booleans()),
        )
        for place in range(count)
    ]
    versions = {s.name: [] for s in SETS}
    for path in PATHS if points else ():
        places = sorted(draw(st.sets(st.integers(0, count - 1))))
        for at, first in enumerate(places):
            until = places[at + 1] if at + 1 < len(places) else None
            kept = Kept(
                path=path,
                first=first,
                until=until,
                facts=facts(
                    draw(verdicts),
                    is_active=draw(st.booleans()),
                    state=draw(st.sampled_from(["valid", "unknown"])),
                    name=f"{path} {first}",
                ),
            )
            versions[path[:2]].append(kept)
    cut = draw(st.none() | st.integers(-1, 10).map(lambda n: START + n * HOUR + HOUR / 8))
    return points, versions, cut


@given(series())
def test_a_clean_point_is_clean_and_was_read_before_the_first_write(given_series):
    points, versions, cut = given_series
    made = plan(points, SETS, versions, first_write=cut)
    for one in made.sets:
        worth = {p.snapshot: verdict for p, verdict, _ in standing(points, one.data_set)}
        if one.snapshot is None:
            early = [p.snapshot for p in points if cut is None or p.ended_at < cut]
            assert all(worth.get(name) is not Verdict.CLEAN for name in early)
            continue
        chosen = next(p for p in points if p.snapshot == one.snapshot)
        assert worth[one.snapshot] is Verdict.CLEAN
        assert cut is None or chosen.ended_at < cut
        later = [p for p in points if p.at > chosen.at and (cut is None or p.ended_at < cut)]
        assert all(worth.get(p.snapshot) is not Verdict.CLEAN for p in later)
        assert one.why


@given(series())
def test_nothing_that_may_act_is_given_back_from_after_the_first_suspect(given_series):
    points, versions, cut = given_series
    made = plan(points, SETS, versions, first_write=cut)
    order = {p.snapshot: place for place, p in enumerate(points)}
    suspect = order[made.first_suspect] if made.first_suspect else len(points)
    for one in made.sets:
        by_hash = {k.facts.sha256: k for k in versions[one.data_set]}
        for newer in one.newer:
            kept = by_hash[newer.sha256]
            assert kept.facts.verdict is Verdict.CLEAN
            if kept.first >= suspect:
                assert not kept.facts.is_active
                assert kept.facts.state == "valid"
        place = order[one.snapshot] if one.snapshot else -1
        withheld = {w.path for w in one.withheld}
        for kept in versions[one.data_set]:
            there = kept.first <= place and (kept.until is None or kept.until > place)
            if there and kept.facts.is_active and kept.first >= suspect:
                assert kept.path in withheld


@given(series())
def test_the_newest_sound_version_is_the_one_that_is_offered(given_series):
    points, versions, cut = given_series
    made = plan(points, SETS, versions, first_write=cut)
    order = {p.snapshot: place for place, p in enumerate(points)}
    for one in made.sets:
        place = order[one.snapshot] if one.snapshot else -1
        offered = {n.path: order[n.snapshot] for n in one.newer}
        assert all(first > place for first in offered.values())
        for path, first in offered.items():
            held = [k for k in versions[one.data_set] if k.path == path and k.first > first]
            suspect = order[made.first_suspect] if made.first_suspect else len(points)
            assert all(
                k.facts.verdict is not Verdict.CLEAN
                or (k.first >= suspect and (k.facts.is_active or k.facts.state != "valid"))
                for k in held
            )


@given(series(), st.integers(0, 10))
def test_an_earlier_first_write_never_gives_a_later_clean_point(given_series, hours):
    points, versions, _ = given_series
    order = {p.snapshot: place for place, p in enumerate(points)} | {None: -1}
    cuts = (START + hours * HOUR, START + (hours + 2) * HOUR)
    early, late = (plan(points, SETS, versions, first_write=cut) for cut in cuts)
    for one, other in zip(early.sets, late.sets, strict=True):
        assert order[one.snapshot] <= order[other.snapshot]


@given(series(), st.integers(0, 8))
def test_a_new_wound_never_brings_the_clean_point_forward(given_series, where):
    points, versions, cut = given_series
    if where >= len(points):
        return
    order = {p.snapshot: place for place, p in enumerate(points)} | {None: -1}
    worse = list(points)
    others = [j for j in points[where].judgements if j.data_set != "/a"]
    worse[where] = point(where, judgement("/a", Verdict.BAD, ["/a/x"]), *others)
    before = plan(points, SETS, versions, first_write=cut).sets[0]
    after = plan(worse, SETS, versions, first_write=cut).sets[0]
    if any(j.data_set == "/a" for j in points[where].judgements):
        healed_later = any("/a/x" in j.healed for p in points[where + 1 :] for j in p.judgements)
        lost_alarm = any(
            j.alarmed or set(j.wounds) for j in points[where].judgements if j.data_set == "/a"
        )
        if not lost_alarm and not healed_later:
            assert order[after.snapshot] <= order[before.snapshot]
            assert order[after.snapshot] < where


def test_what_is_still_destroyed_makes_a_quiet_day_no_clean_point():
    points = [
        point(0, judgement("/a")),
        point(1, judgement("/a", Verdict.SUSPECT, ["/a/x"])),
        point(2, judgement("/a")),
        point(3, judgement("/a", healed=["/a/x"])),
    ]
    worth = [verdict for _, verdict, _ in standing(points, "/a")]
    assert worth == [Verdict.CLEAN, Verdict.SUSPECT, Verdict.SUSPECT, Verdict.CLEAN]
    assert plan(points, SETS[:1], {}).sets[0].snapshot == points[3].snapshot
    assert plan(points[:3], SETS[:1], {}).sets[0].snapshot == points[0].snapshot


def test_an_alarm_over_a_whole_set_stays_until_a_person_accepts_it():
    points = [
        point(0, judgement("/a")),
        point(1, judgement("/a", Verdict.SUSPECT, alarmed=True)),
        point(2, judgement("/a")),
    ]
    assert plan(points, SETS[:1], {}).sets[0].snapshot == points[0].snapshot
    accepted = frozenset({points[1].snapshot})
    assert plan(points, SETS[:1], {}, accepted=accepted).sets[0].snapshot == points[2].snapshot


def test_a_snapshot_still_being_read_at_the_first_write_is_not_before_it():
    points = [point(0, judgement("/a")), point(1, judgement("/a"), ended=START + 3 * HOUR)]
    made = plan(points, SETS[:1], {}, first_write=START + 2 * HOUR)
    assert made.sets[0].snapshot == points[0].snapshot
    assert made.sets[0].refused[0][1].code == "after"


def test_a_set_that_was_never_judged_clean_has_no_clean_point():
    made = plan([point(0, judgement("/a", Verdict.UNJUDGED))], SETS[:1], {})
    assert made.sets[0].snapshot is None


def test_a_program_of_the_clean_snapshot_that_came_late_is_replaced_by_the_one_before():
    points = [
        point(0, judgement("/a"), judgement("/b")),
        point(1, judgement("/a"), judgement("/b", Verdict.BAD, ["/b/z"])),
    ]
    versions = {
        "/a": [
            Kept(path="/a/x", first=0, until=1, facts=facts(is_active=True, name="old")),
            Kept(path="/a/x", first=1, until=None, facts=facts(is_active=True, name="new")),
        ]
    }
    made = plan(points, SETS, versions)
    assert made.sets[0].snapshot == points[1].snapshot
    (held,) = made.sets[0].withheld
    assert (held.path, held.why.code, held.instead) == ("/a/x", "active", points[0].snapshot)
