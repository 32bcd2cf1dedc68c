"""One attack on several hosts is one incident, in whatever order its findings come; others stay apart."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from releve.model.finding import Finding, Severity
from releve.model.incident import Change, Entry, Incident
from releve.model.indicator import indicator_of
from releve.triage.handling import Word, split
from releve.triage.incidents import Limits, step

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
NARROW = Limits(entries=3, stops=100)


class Desk:
    """Keeps what a change says, as the database does."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.known: dict[str, Incident] = {}
        self.lines: dict[str, tuple[str, Entry]] = {}

    def take(self, finding: Finding, structure: str = "s") -> Change | None:
        open_ = tuple(i for i in self.known.values() if i.closed_at is None)
        change = step(open_, finding, structure=structure, limits=self.limits)
        if change is not None:
            self.known |= {i.id: i for i in change.incidents}
            for incident, lines in change.entries.items():
                for line in lines:
                    self.lines.setdefault(line.key, (incident, line))
        return change

    def open(self) -> list[Incident]:
        return [i for i in self.known.values() if i.closed_at is None]

    def findings_of(self, incident: Incident) -> set[str]:
        ids = {incident.id, *incident.merged}
        return {e.finding for at, e in self.lines.values() if at in ids and e.finding}


def stop(
    host: str,
    minutes: float,
    *,
    user: str = "",
    client: str = "",
    program: str = "",
    n: int = 0,
    indicators: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        id=f"{host}-{minutes}-{user}-{client}-{program}-{n}-{indicators}",
        host=host,
        kind="stopped",
        severity=Severity.SERIOUS,
        seen_at=T0 + dt.timedelta(minutes=minutes),
        family=f"f{minutes}-{n}",
        action="killed",
        figures={"stop_ms": 12.0, "files_touched": 3},
        user=user,
        client=client,
        program=program,
        indicators=indicators,
    )


LOCKED, NOTE = indicator_of("extension", "wxyz"), indicator_of("note", "lisez-moi-vite.txt")


def run(*findings: Finding, limits: Limits | None = None) -> Desk:
    desk = Desk(limits or Limits())
    for finding in findings:
        desk.take(finding)
    return desk


def test_one_account_on_three_hosts_is_one_incident_and_says_why() -> None:
    desk = run(
        stop("serveur", 0, user="secretariat", program="a"),
        stop("imagerie", 4, user="secretariat", program="b"),
        stop("accueil", 20, user="Secretariat", program="c"),
    )
    (incident,) = desk.open()
    assert incident.hosts == ("serveur", "imagerie", "accueil")
    links = [entry for entry in incident.timeline if entry.kind == "linked"]
    assert [entry.host for entry in links] == ["imagerie", "accueil"]
    assert "Relié parce que le même compte, secretariat" in links[0].why
    assert "the same account, secretariat" in links[0].why_en
    assert incident.signs["imagerie"] == T0 + dt.timedelta(minutes=4)


def test_a_client_or_a_program_in_common_links_too() -> None:
    (one,) = run(stop("a", 0, client="10.0.0.7"), stop("b", 1, client="10.0.0.7")).open()
    assert one.hosts == ("a", "b")
    (one,) = run(stop("a", 0, program="/tmp/x/lock"), stop("b", 1, program="/home/lock")).open()
    assert one.hosts == ("a", "b")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (stop("a", 0, user="claire", program="x"), stop("b", 1, user="paul", program="y")),
        (stop("a", 0, user="root"), stop("b", 1, user="root")),
        (stop("a", 0, user="claire"), stop("b", 31, user="claire")),
        (
            stop("a", 0, program="smbd", client="10.0.0.7"),
            stop("b", 1, program="smbd", client="10.0.0.8"),
        ),
    ],
    ids=["nothing shared", "an account of every machine", "too late", "the file server's own name"],
)
def test_two_unrelated_attacks_are_two_incidents(first: Finding, second: Finding) -> None:
    assert len(run(first, second).open()) == 2


def test_what_bridges_two_incidents_makes_them_one_and_no_line_is_lost() -> None:
    desk = run(
        stop("a", 0, user="claire"),
        stop("b", 2, client="10.0.0.7"),
        stop("c", 4, user="claire", client="10.0.0.7"),
    )
    (incident,) = desk.open()
    assert set(incident.hosts) == {"a", "b", "c"}
    (gone,) = [i for i in desk.known.values() if i.merged_into]
    assert gone.merged_into == incident.id
    assert incident.merged == (gone.id,)
    assert len(desk.findings_of(incident)) == 3
    assert len(incident.stops) == 3


FINDINGS = some.builds(
    stop,
    some.sampled_from(["a", "b", "c", "d", "e"]),
    some.integers(0, 180),
    user=some.sampled_from(["", "root", "claire", "paul"]),
    client=some.sampled_from(["", "", "10.0.0.7"]),
    program=some.sampled_from(["", "lock", "gpg"]),
    n=some.integers(0, 2),
    indicators=some.sampled_from([(), (), (), (LOCKED,), (NOTE,), (LOCKED, NOTE)]),
)


@given(
    some.lists(FINDINGS, max_size=12).flatmap(
        lambda f: some.tuples(some.just(f), some.permutations(f))
    )
)
def test_any_order_gives_the_same_incidents(orders: tuple[list[Finding], list[Finding]]) -> None:
    once, again = (run(*order) for order in orders)

    def parts(desk: Desk) -> list[tuple[list[str], list[str]]]:
        return sorted((sorted(i.hosts), sorted(desk.findings_of(i))) for i in desk.open())

    assert parts(once) == parts(again)


@pytest.mark.parametrize(
    ("token", "told", "told_en"),
    [(LOCKED, "la même extension", "the same extension"), (NOTE, "un texte du même nom", "a text")],
)
def test_an_indicator_in_common_links_and_says_so(token: str, told: str, told_en: str) -> None:
    (one,) = run(stop("a", 0, indicators=(token,)), stop("b", 12, indicators=(token,))).open()
    assert one.hosts == ("a", "b")
    assert one.indicators == {"a": (token,), "b": (token,)}
    (link,) = [entry for entry in one.timeline if entry.kind == "linked"]
    assert told in link.why
    assert told_en in link.why_en
    assert token not in link.why + link.why_en


def test_an_indicator_does_not_chain_what_is_half_an_hour_apart_nor_another_one() -> None:
    first = stop("a", 0, indicators=(LOCKED,))
    assert len(run(first, stop("b", 31, indicators=(LOCKED,))).open()) == 2
    assert len(run(first, stop("b", 1, indicators=(NOTE,))).open()) == 2


def test_a_host_that_lies_keeps_so_many_indicators_and_its_first_ones() -> None:
    lies = [indicator_of("note", str(n)) for n in range(200)]
    desk = run(*(stop("a", n / 60, n=n, indicators=(lie,)) for n, lie in enumerate(lies)))
    (incident,) = desk.open()
    assert incident.indicators["a"] == tuple(lies[: Limits().indicators])


def test_a_part_that_was_split_takes_its_own_indicators_along() -> None:
    desk = run(stop("a", 0, indicators=(LOCKED,)), stop("b", 1, indicators=(LOCKED, NOTE)))
    (incident,) = desk.open()
    word = Word(by="claire", at=T0, why="deux affaires", id="w1")
    part, kept = split(incident, ["b"], incident.timeline, word).incidents
    assert (part.indicators, kept.indicators) == ({"b": (LOCKED, NOTE)}, {"a": (LOCKED,)})


@given(some.lists(some.tuples(FINDINGS, some.sampled_from(["s", "t"])), max_size=15))
def test_nothing_in_common_ever_joins_two_structures(
    told: list[tuple[Finding, str]],
) -> None:
    desk = Desk(Limits())
    for finding, structure in told:
        own = msgspec.structs.replace(finding, id=f"{structure}-{finding.id}")
        desk.take(own, structure)
    for incident in desk.known.values():
        ids = desk.findings_of(incident)
        assert all(i.startswith(f"{incident.structure}-") for i in ids)


@given(some.lists(FINDINGS, max_size=15))
def test_twice_changes_no_host_and_no_line_is_ever_lost(findings: list[Finding]) -> None:
    desk = Desk(NARROW)
    for finding in findings:
        desk.take(finding)
        desk.take(finding)
    assert {e.finding for _, e in desk.lines.values() if e.finding} == {f.id for f in findings}
    told = [host for incident in desk.open() for host in incident.hosts]
    assert set(told) == {f.host for f in findings}
    for incident in desk.open():
        assert len(incident.timeline) <= NARROW.entries
