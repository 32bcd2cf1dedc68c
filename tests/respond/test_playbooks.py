"""Playbooks: the content is whole, steps are said with their reasons, actions follow the incident."""

import datetime as dt

import msgspec
import pytest

from releve.adapters.content import playbooks
from releve.detect import guard_findings, vault_findings
from releve.model.event import HiddenPath
from releve.model.finding import Severity
from releve.model.incident import Entry, Incident, Rest, Stop
from releve.model.order import Action, Isolate, Release, RestoreFile, StopFamily
from releve.model.playbook import ACTIONS, WHO, Playbook, PlaybookRun, StepWord
from releve.respond.orders import agree, is_agreed, people_needed
from releve.respond.playbooks import PlaybookError, Proposal, proposals, proposed, say, undoing

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
KINDS = {
    "ransomware",
    "phishing",
    "intrusion",
    "denial-of-service",
    "defacement",
    "data-leak",
    "supplier-outage",
}


def named(name: str) -> Playbook:
    found = playbooks().named(name)
    assert found is not None
    return found


def run(playbook: Playbook) -> PlaybookRun:
    return PlaybookRun(
        id="r",
        incident="i",
        playbook=playbook.id,
        dated=playbook.dated,
        started_at=T0,
        started_by="dr",
    )


def word(step: str, state: str, why: str = "") -> StepWord:
    return StepWord(step=step, state=state, by="dr", at=T0, why=why)


def stop(
    family: str, host: str, action: str, lost: tuple[str, ...] = (), program: str = "gpg"
) -> Stop:
    paths = tuple(HiddenPath(token=t, extension="docx", folder="documents") for t in lost)
    return Stop(
        family=family,
        host=host,
        at=T0,
        action=action,
        program=program,
        stop_ms=1,
        files_touched=1,
        lost_paths=paths,
    )


INCIDENT = Incident(
    id="i",
    structure="s",
    host="a",
    other_hosts=("b", "vault"),
    opened_at=T0,
    last_at=T0,
    severity=Severity.CRITICAL,
    stops=(
        stop("f1", "a", "killed", ("k1:1",)),
        stop("f2", "b", "frozen"),
        stop("f3", "b", "none"),
        stop("f4", "b", "none", program="(auteur inconnu)"),  # there is no program to end
    ),
)
HOSTS = {"a", "b", "elsewhere"}


@pytest.mark.parametrize("playbook", playbooks().playbooks, ids=lambda p: p.id)
def test_every_playbook_is_whole_in_both_languages(playbook: Playbook) -> None:
    assert playbook.sources
    assert dt.date.fromisoformat(playbook.dated) <= dt.date(2026, 12, 31)
    ids = [step.id for step in playbook.steps]
    assert len(ids) == len(set(ids))
    for step in playbook.steps:
        assert step.who in WHO
        assert step.say.fr.endswith(".")
        assert step.say.en.endswith(".")
        assert (step.kind, step.action in ACTIONS) in (("human", False), ("automatic", True))


def test_there_is_one_for_each_attack_and_each_names_a_public_source() -> None:
    assert {p.id for p in playbooks().playbooks} == KINDS
    assert any("CERTFR-2024-RFX-001" in source for source in named("ransomware").sources)
    assert any("CERTFR-2025-RFX-006" in source for source in named("intrusion").sources)
    for name, number in (("phishing", 16), ("denial-of-service", 4), ("defacement", 6)):
        assert any(f"IRM-{number} " in source for source in named(name).sources)


def test_ransomware_unplugs_before_it_restores_and_complains_before_it_rebuilds() -> None:
    order = [step.id for step in named("ransomware").steps]
    for first, then in (
        ("unplug", "backups"),
        ("backups", "links"),
        ("complaint", "core"),
        ("access", "core"),
        ("clean", "order"),
        ("order", "secrets"),
    ):
        assert order.index(first) < order.index(then)


def test_a_step_is_done_skipped_with_a_reason_or_taken_back() -> None:
    playbook = named("ransomware")
    told = say(run(playbook), playbook, word("lead", "done"))
    told = say(told, playbook, word("call", "skipped", "déjà au téléphone"))
    told = say(told, playbook, word("lead", "undone", "trop tôt"))
    assert [(w.step, w.state) for w in told.words] == [("call", "skipped"), ("lead", "undone")]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (word("lead", "skipped"), "reason"),
        (word("nothing", "done"), "step"),
        (word("lead", "burnt", "x"), "step"),
        (word("lead", "undone", "x"), "not_done"),
    ],
)
def test_what_makes_no_sense_of_a_step_is_refused(said: StepWord, why: str) -> None:
    playbook = named("ransomware")
    with pytest.raises(PlaybookError, match=why):
        say(run(playbook), playbook, said)


def test_automatic_steps_ask_only_the_hosts_of_the_incident() -> None:
    steps = {step.id: step for step in named("ransomware").steps}
    asked = proposals(steps["isolate"], INCIDENT, HOSTS)
    assert asked == (Proposal("a", Isolate()), Proposal("b", Isolate()))
    assert proposals(steps["stop"], INCIDENT, HOSTS) == (
        Proposal("b", StopFamily(family="f2", is_frozen=True)),
        Proposal("b", StopFamily(family="f3")),
    )
    assert proposals(steps["restore"], INCIDENT, HOSTS) == (
        Proposal("a", RestoreFile(token="k1:1", as_of=T0)),
    )
    assert proposals(steps["lead"], INCIDENT, HOSTS) == ()


def test_isolating_is_taken_back_by_releasing_and_stopping_by_nothing() -> None:
    steps = {step.id: step for step in named("ransomware").steps}
    assert undoing(steps["isolate"], INCIDENT, {"a"}) == (Proposal("a", Release()),)
    assert undoing(steps["release"], INCIDENT, {"a"}) == (Proposal("a", Isolate()),)
    assert undoing(steps["stop"], INCIDENT, HOSTS) == ()


def test_more_than_one_host_needs_two_different_people() -> None:
    assert [people_needed(n) for n in (0, 1, 2, 9)] == [1, 1, 2, 2]
    action = Action(
        id="x",
        structure="s",
        host="a",
        number=1,
        task=Isolate(),
        state="proposed",
        proposed_at=T0,
        proposed_by="dr",
        expires_at=T0,
        people=2,
    )
    once = agree(agree(action, "dr"), "dr")
    assert not is_agreed(once)
    assert is_agreed(agree(once, "it"))


def test_the_advice_never_to_pay_stands_in_the_content() -> None:
    ransom = playbooks().ransom
    assert "ne jamais payer" in ransom.advice.fr
    assert "never to pay" in ransom.advice.en
    assert msgspec.to_builtins(ransom)["dated"]


def with_findings(*kinds: str) -> Incident:
    lines = tuple(
        Entry(at=T0, kind=kind, finding=f"f-{kind}", severity=Severity.SERIOUS) for kind in kinds
    )
    return msgspec.structs.replace(INCIDENT, stops=(), timeline=lines)


@pytest.mark.parametrize(
    ("kinds", "playbook"),
    [
        (("stopped",), "ransomware"),
        (("slow_score", "backup_failed"), "ransomware"),
        (("vault_seal_broken",), "intrusion"),
        (("vault_read_budget_used_up",), "data-leak"),
        (("vault_seal_broken", "vault_read_budget_used_up"), "intrusion"),
        (("vault_read_budget_used_up", "vault_proof_changed", "rolled_back"), "ransomware"),
    ],
)
def test_an_incident_proposes_the_playbook_that_its_findings_speak_for(
    kinds: tuple[str, ...], playbook: str
) -> None:
    found = proposed(playbooks(), with_findings(*kinds))
    assert found is not None
    assert found.id == playbook


def test_where_no_finding_speaks_for_a_playbook_none_is_proposed() -> None:
    assert proposed(playbooks(), with_findings()) is None
    assert proposed(playbooks(), with_findings("store_full", "note", "internal_error")) is None


def test_a_stop_counts_although_its_line_is_not_kept_in_the_incident_any_more() -> None:
    assert proposed(playbooks(), INCIDENT) == named("ransomware")
    summed = msgspec.structs.replace(INCIDENT, stops=(), rest=Rest(stops=3))
    assert proposed(playbooks(), summed) == named("ransomware")


def test_what_proposes_is_a_finding_that_there_is_and_proposes_one_playbook() -> None:
    of_vault = {f"vault_{name}" for name in vault_findings.NOTICES}
    of_vault |= {f"vault_proof_{name}" for name in vault_findings.PROOFS}
    there_are = {"stopped", "rolled_back", *guard_findings.ALERTS, *of_vault}
    rows = playbooks().proposed
    named_there = [kind for row in rows for kind in row.findings]
    assert set(named_there) <= there_are
    assert len(named_there) == len(set(named_there))
    assert {row.playbook for row in rows} <= KINDS
