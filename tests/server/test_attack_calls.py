"""An attack rings who is on call: by the rota, channels and proof of calls for help, once an incident."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from releve.adapters.sql.store import SqlStore
from releve.assist import escalation
from releve.assist.escalation import Acknowledged
from releve.flow.server import incidents, profiles
from releve.flow.server.assist import alarms, answering
from releve.flow.server.incidents import Word
from releve.flow.server.ingest import take
from releve.flow.server.months import month_of
from releve.flow.wire import Vitals
from releve.model import event as ev
from releve.model.help import HelpRequest
from releve.model.incident import Incident
from releve.model.structure import Profile, StructureKind
from releve.report.assistance import answers
from tests.server.test_help import Desk
from tests.server.vaults import add_vault
from tests.server.world import EnrolledHost, add_host, batch, rolled_back, stopped


class Practice(Desk):
    """A practice with one machine; its attacks are told as its agent tells them."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store)
        self.host = add_host(store, "serveur")
        self._seq = 1

    def tell(self, *events: ev.AnyEvent, host: EnrolledHost | None = None, **vitals: Any) -> None:
        of = host or self.host
        told = batch(*events, first=self._seq)
        self._seq += len(events)
        told = msgspec.structs.replace(told, vitals=Vitals(**vitals))
        take(self.store, of.structure, of.id, told, self.clock.now())

    def attack(self, family: str = "f1", action: str = "killed") -> None:
        self.tell(stopped(family, self.clock.now(), action))

    def calls(self) -> list[HelpRequest]:
        """The first one first."""
        with self.store.unit(self.structure, writes=False) as unit:
            found = unit.help_requests()
        return sorted(found, key=lambda r: r.course.opened_at)

    def incident(self, place: int = 0) -> Incident:
        with self.store.unit(self.structure, writes=False) as unit:
            return unit.open_incidents()[place]

    def lines(self, incident: Incident) -> list[str]:
        """Of the timeline, what the calls wrote; the oldest first."""
        with self.store.unit(self.structure, writes=False) as unit:
            found = unit.entries((incident.id, *incident.merged))
        kinds = [e.kind for e in reversed(found)]
        return [kind for kind in kinds if kind.startswith("call_") or kind == "taken"]

    def word(self, by: str = "claire", why: str = "revu") -> Word:
        return Word(by=by, at=self.clock.now(), why=why, id=f"w{self.clock.now().timestamp()}")

    def set_ring(self, *, on: bool) -> None:
        profile = Profile(kind=StructureKind.PRACTICE, legal_name="Cabinet A", ring_on_attack=on)
        profiles.put(self.store, self.structure, profile, actor="x", now=self.clock.now())


@pytest.fixture
def practice(store: SqlStore) -> Practice:
    return Practice(store)


def test_a_stopped_attack_with_nothing_lost_rings_the_chain_until_somebody_takes_it(
    practice: Practice,
) -> None:
    practice.on_call("ali", "bea")
    practice.attack()
    practice.look()
    assert practice.phones.names == ["ali/sms"]
    practice.look(seconds=44)
    assert practice.phones.names == ["ali/sms"]
    practice.look(seconds=1)  # the first responder is absent
    assert practice.phones.names == ["ali/sms", "bea/sms"]
    practice.clock.forward(seconds=12)
    assert answering.answer(practice.store, practice.phones.code(), practice.clock.now())
    practice.look(seconds=600)
    assert len(practice.phones.rung) == 2
    (call,) = practice.calls()
    incident = practice.incident()
    assert (call.source, call.asked_by, call.course.name) == ("attack", "server", "Bea Martin")
    assert [a.incident for a in call.attacks] == [incident.id]
    assert call.answer_s == 57
    assert practice.lines(incident) == ["call_opened", "call_ring", "call_ring", "taken"]
    with practice.store.unit(practice.structure, writes=False) as unit:
        told = {e.kind: e for e in reversed(unit.entries((incident.id,))) if not e.finding}
        assert told["taken"].by == "Bea Martin"
        assert told["taken"].at == practice.clock.now() - dt.timedelta(seconds=600)
        assert "Bea Martin (sms)" in told["call_ring"].why
        verbs = {(e.verb, e.object) for e in unit.trail(most=20)}
    assert {("ask", f"help/{call.id}"), ("acknowledged", f"incident/{incident.id}")} <= verbs


def test_one_incident_is_one_call_however_many_findings_it_has(practice: Practice) -> None:
    practice.on_call("ali")
    practice.attack("f1")
    for n in range(5):
        practice.clock.forward(seconds=3)
        practice.tell(rolled_back("f1", practice.clock.now()))
        practice.attack(f"f{n + 2}")
    practice.look()
    assert len(practice.calls()) == 1
    assert practice.phones.names == ["ali/sms"]


def test_what_is_only_told_rings_nobody(practice: Practice) -> None:
    practice.on_call("ali")
    practice.attack(action="would_stop")
    practice.tell(ev.GuardAlerted(seen_at=practice.clock.now(), alert="overflow", why="x"))
    practice.look()
    assert practice.calls() == []
    assert practice.phones.rung == []


def test_a_dead_channel_passes_on_to_the_next_at_once(practice: Practice) -> None:
    practice.on_call("ali", "bea")
    practice.phones.broken.add("ali")
    practice.phones.broken.add("sms")
    practice.attack()
    practice.look()
    practice.look()
    practice.look()
    assert practice.phones.names[:2] == ["ali/sms", "bea/sms"]
    (call,) = practice.calls()
    assert [s.kind for s in practice.read(call.id)[1]].count("failed") >= 2


def test_a_server_that_was_killed_after_the_finding_rings_when_it_is_back(
    practice: Practice,
) -> None:
    practice.on_call("ali")
    practice.attack()
    assert practice.driver.waking() == [(practice.structure, practice.calls()[0].id)]
    # It moved the call, and was killed before the message was handed over.
    practice.driver.move(practice.structure, practice.calls()[0].id)
    assert practice.phones.rung == []
    practice.clock.forward(seconds=20)
    practice.driver = practice.new_driver()
    practice.driver.wake_all(practice.clock.now())
    practice.look()
    assert practice.phones.names == ["ali/sms"]
    assert practice.lines(practice.incident()) == ["call_opened", "call_ring"]


def test_with_nobody_on_call_the_incident_says_so_and_who_comes_on_duty_is_rung(
    practice: Practice,
) -> None:
    practice.attack()
    practice.look()
    (call,) = practice.calls()
    assert (call.course.phase, call.course.rung) == ("ended", ())
    assert practice.lines(practice.incident()) == ["call_opened", "call_nobody_on_call"]
    practice.on_call("ali")
    practice.look(seconds=45)
    assert practice.phones.names == ["ali/sms"]


def test_nobody_answers_and_a_graver_incident_rings_all_anew(practice: Practice) -> None:
    practice.on_call("ali")
    practice.attack("f1")
    for _ in range(12):
        practice.look(seconds=45)
    (call,) = practice.calls()
    assert call.course.phase == "ended"
    assert practice.lines(practice.incident())[-1] == "call_end_of_chain"
    rung = len(practice.phones.rung)
    practice.tell(rolled_back("f1", practice.clock.now()))  # not graver: nobody is rung for it
    practice.look()
    assert len(practice.phones.rung) == rung
    practice.tell(rolled_back("f1", practice.clock.now(), lost=2))
    practice.look()
    assert len(practice.phones.rung) == rung + 1
    assert len(practice.calls()) == 1
    assert "call_again" in practice.lines(practice.incident())


def test_who_has_it_is_not_rung_when_it_gets_worse(practice: Practice) -> None:
    practice.on_call("ali")
    practice.attack("f1")
    practice.look()
    answering.answer(practice.store, practice.phones.code(), practice.clock.now())
    practice.tell(rolled_back("f1", practice.clock.now(), lost=2))
    practice.look(seconds=60)
    assert practice.phones.names == ["ali/sms"]


def test_taking_the_incident_ends_the_call(practice: Practice) -> None:
    practice.on_call("ali")
    practice.attack()
    practice.look()
    with practice.store.unit(practice.structure) as unit:
        assert alarms.take(unit, practice.incident().id, practice.word()) is not None
    practice.look(seconds=300)
    (call,) = practice.calls()
    assert (call.course.phase, call.course.name) == ("acknowledged", "claire")
    assert practice.phones.names == ["ali/sms"]
    assert practice.lines(practice.incident())[-1] == "taken"


def test_closing_ends_the_call_and_reopening_makes_another(practice: Practice) -> None:
    practice.on_call("ali")
    practice.attack()
    practice.look()
    incident = practice.incident()
    with practice.store.unit(practice.structure) as unit:
        alarms.close(unit, incident.id, practice.word())
    (call,) = practice.calls()
    assert (call.course.phase, call.closed_by, call.done) == ("closed", "claire", "revu")
    practice.clock.forward(hours=1)
    with practice.store.unit(practice.structure) as unit:
        alarms.reopen(unit, incident.id, practice.word())
    practice.look()
    assert practice.phones.names == ["ali/sms", "ali/sms"]
    first, second = practice.calls()
    assert first.id != second.id
    assert second.course.phase == "ringing"


def test_a_call_that_was_closed_is_nobody_s_what_follows_rings_again(practice: Practice) -> None:
    practice.on_call("ali")
    practice.attack("f1")
    practice.look()
    (call,) = practice.calls()
    with practice.store.unit(practice.structure) as unit:
        answering.close(unit, call.id, "fini", actor="ali", now=practice.clock.now())
    practice.clock.forward(minutes=5)
    practice.attack("f2")
    practice.look()
    assert len(practice.calls()) == 2
    assert practice.phones.names == ["ali/sms", "ali/sms"]


def test_two_incidents_that_become_one_are_taken_together(practice: Practice) -> None:
    practice.on_call("ali")
    other = add_host(practice.store, "poste")
    practice.attack("f1")
    practice.clock.forward(hours=2)
    lone = msgspec.structs.replace(stopped("g1", practice.clock.now()), program="7z")
    practice.tell(lone, host=other)
    practice.look()
    assert len(practice.calls()) == 2
    ids = [call.attacks[0].incident for call in practice.calls()]
    assert answering.answer(practice.store, practice.phones.code(0), practice.clock.now())
    assert sum(c.course.phase == "acknowledged" for c in practice.calls()) == 1
    with practice.store.unit(practice.structure) as unit:
        assert alarms.merge(unit, ids[0], ids[1], practice.word()) is not None
    assert {c.course.name for c in practice.calls()} == {"Ali Martin"}
    practice.look(seconds=300)
    assert len(practice.phones.rung) == 2


def test_a_machine_that_tells_of_many_incidents_has_few_calls_at_a_time(
    practice: Practice,
) -> None:
    practice.on_call("ali")
    for n in range(8):
        practice.clock.forward(hours=1)
        one = stopped(f"f{n}", practice.clock.now())
        practice.tell(msgspec.structs.replace(one, program=f"p{n}"))
    calls = practice.calls()
    assert len(calls) == 5
    named = {a.incident for call in calls for a in call.attacks}
    with practice.store.unit(practice.structure, writes=False) as unit:
        assert named == {i.id for i in unit.open_incidents()}
    assert len(named) == 8


def test_a_host_that_asks_for_help_all_the_time_hides_no_call_of_an_attack(
    practice: Practice,
) -> None:
    """Asked for help 1,100 times the calls of attacks were out of sight: more rang, and none could be taken."""
    practice.on_call("ali")
    practice.attack("f0")
    first, incident = practice.calls()[0], practice.incident()
    practice.clock.forward(hours=1)
    with practice.store.unit(practice.structure) as unit:
        for n in range(1100):
            at = practice.clock.now() + dt.timedelta(milliseconds=n)
            flood = HelpRequest(
                id=f"flood{n}", structure=practice.structure, source="host", asked_by="h",
                course=escalation.begin(at, at),
            )  # fmt: skip
            assert unit.add_help(flood)
    for n in range(8):
        practice.clock.forward(hours=1)
        one = stopped(f"g{n}", practice.clock.now())
        practice.tell(msgspec.structs.replace(one, program=f"p{n}"))
    with practice.store.unit(practice.structure) as unit:
        assert len(unit.attack_calls()) == 5
        shown = unit.help_requests(is_open=True)
        assert [r.id for r in unit.attack_calls()] == [r.id for r in shown if r.attacks]
        assert first.id in {r.id for r in shown}
        assert shown == sorted(shown, key=lambda r: r.course.opened_at, reverse=True)
        assert alarms.take(unit, incident.id, practice.word()) is not None
        taken = unit.help_request(first.id)
    assert taken is not None
    assert taken.course.phase == "acknowledged"


def test_what_one_machine_tells_of_takes_no_other_s_attack_into_its_calls(
    practice: Practice,
) -> None:
    """Who took one of five decoys had taken the real attack too, and nobody was rung for it."""
    practice.on_call("ali")
    other = add_host(practice.store, "poste")
    for n in range(8):
        practice.clock.forward(hours=1)
        one = stopped(f"f{n}", practice.clock.now())
        practice.tell(msgspec.structs.replace(one, program=f"p{n}"))
    real = msgspec.structs.replace(stopped("g1", practice.clock.now()), program="7z", user="bea")
    practice.tell(real, host=other)
    *decoys, call = practice.calls()
    assert (len(decoys), len(call.attacks)) == (5, 1)
    with practice.store.unit(practice.structure) as unit:
        for decoy in decoys:
            given = Acknowledged(practice.clock.now(), "ali", "Ali")
            answering.acknowledge(unit, decoy.id, given)
    assert practice.calls()[-1].course.phase == "ringing"


def test_machines_that_all_tell_of_much_have_twenty_calls_at_a_time(practice: Practice) -> None:
    practice.on_call("ali")
    for n in range(24):
        host = add_host(practice.store, f"poste {n}")
        practice.clock.forward(hours=1)
        one = stopped(f"f{n}", practice.clock.now())
        practice.tell(msgspec.structs.replace(one, program=f"p{n}", user=f"u{n}"), host=host)
    assert len(practice.calls()) == 20


def test_what_joins_a_call_is_told_to_its_own_timeline_alone(practice: Practice) -> None:
    """The others are no graver for it, and fifty incidents wrote fifty lines into each other."""
    practice.on_call("ali")
    for n in range(8):
        practice.clock.forward(hours=1)
        one = stopped(f"f{n}", practice.clock.now())
        practice.tell(msgspec.structs.replace(one, program=f"p{n}"))
    with practice.store.unit(practice.structure, writes=False) as unit:
        told = {i.id: practice.lines(i) for i in unit.open_incidents()}
    assert set(map(tuple, told.values())) == {("call_opened",)}


def test_a_call_that_rings_is_not_silenced_by_what_a_machine_has_joined_to_it(
    practice: Practice,
) -> None:
    """A machine in an attacker's hands told of something that was taken; then it says it is the same."""
    practice.on_call("ali")
    other = add_host(practice.store, "poste")
    decoy = msgspec.structs.replace(stopped("d1", practice.clock.now()), program="decoy")
    practice.tell(decoy)
    practice.look()
    assert answering.answer(practice.store, practice.phones.code(), practice.clock.now())
    practice.clock.forward(minutes=10)
    real = msgspec.structs.replace(stopped("g1", practice.clock.now()), program="7z")
    practice.tell(real, host=other)
    bridge = msgspec.structs.replace(stopped("d2", practice.clock.now()), program="7z")
    practice.tell(bridge)
    with practice.store.unit(practice.structure, writes=False) as unit:
        (whole,) = unit.open_incidents()
    assert len(whole.hosts) == 2
    assert [c.course.phase for c in practice.calls()] == ["acknowledged", "ringing"]
    practice.look()
    assert practice.phones.names == ["ali/sms", "ali/sms"]


def test_what_goes_on_longer_than_the_shift_of_who_took_it_rings_again(practice: Practice) -> None:
    """Else an incident that is kept open by small things by day hides the attack of the night."""
    practice.on_call("ali")
    practice.attack("f0")
    practice.look()
    assert answering.answer(practice.store, practice.phones.code(), practice.clock.now())
    for n in range(1, 24):
        practice.clock.forward(minutes=29)
        practice.attack(f"f{n}")
    practice.look()
    assert practice.phones.names == ["ali/sms"]
    practice.clock.forward(minutes=29)
    practice.attack("f24")
    practice.clock.forward(minutes=29)
    practice.attack("f25")
    practice.look()
    assert practice.phones.names == ["ali/sms", "ali/sms"]
    assert [c.course.phase for c in practice.calls()] == ["acknowledged", "ringing"]


def test_a_demonstration_rings_nobody(practice: Practice) -> None:
    practice.on_call("ali")
    practice.tell(stopped("f1", practice.clock.now()), is_demonstration=True)
    practice.look()
    assert practice.incident().stops
    assert practice.calls() == []


def test_a_drill_that_failed_rings_nobody(practice: Practice) -> None:
    practice.on_call("ali")
    practice.tell(ev.DrillRan(seen_at=practice.clock.now(), ok=False, detail="x"))
    practice.look()
    assert practice.calls() == []


def test_a_structure_may_have_nobody_rung(practice: Practice) -> None:
    practice.on_call("ali")
    practice.set_ring(on=False)
    practice.attack("f1")
    practice.look()
    assert practice.calls() == []
    practice.set_ring(on=True)
    practice.attack("f2")
    practice.look()
    assert practice.phones.names == ["ali/sms"]


def test_no_figure_of_help_counts_the_calls_of_attacks(practice: Practice) -> None:
    practice.on_call("ali")
    practice.attack()
    practice.ask()
    practice.look()
    asked, called = sorted(practice.calls(), key=lambda r: r.source, reverse=True)
    assert (asked.source, called.source) == ("console", "attack")
    with practice.store.unit(practice.structure) as unit:
        for one in (asked, called):
            name = Acknowledged(practice.clock.now(), "ali", "Ali")
            answering.acknowledge(unit, one.id, name)
        month = month_of("2026-11", "Europe/Paris")
        assert [r.id for r in unit.help_of(month)] == [asked.id]
    assert answers(practice.calls()).times.n == 1


def test_the_message_names_no_file_and_no_machine(practice: Practice) -> None:
    from releve.apps.server.help_words import telling
    from releve.flow.server.assist.ports import Call

    practice.on_call("ali")
    practice.attack()
    (call,) = practice.driver.move(practice.structure, practice.calls()[0].id)
    assert isinstance(call, Call)
    assert call.is_attack
    message = telling("https://r.example")(call)
    assert message.title == "Relève\u00a0: incident grave"
    assert "Cabinet A" in message.body
    assert f"https://r.example/a/{call.code}" in message.body
    for secret in ("serveur", "gpg", "f1"):
        assert secret not in message.body


def test_work_on_incidents_alone_leaves_no_call_behind(practice: Practice) -> None:
    """What a person splits off is that person's: nobody is rung for it."""
    practice.on_call("ali")
    other = add_host(practice.store, "poste")
    practice.attack("f1")
    practice.tell(stopped("g1", practice.clock.now()), host=other)  # the same program and time
    practice.look()
    before = len(practice.calls())
    incident = practice.incident()
    with practice.store.unit(practice.structure) as unit:
        assert incidents.split(unit, incident.id, (other.id,), practice.word()) is not None
    practice.look()
    assert len(practice.calls()) == before


def test_a_tool_s_acknowledgement_ends_the_call_and_is_told_once(practice: Practice) -> None:
    practice.on_call("ali")
    practice.attack()
    practice.look()
    incident, now = practice.incident(), practice.clock.now()
    with practice.store.unit(practice.structure) as unit:
        before = len(unit.trail(most=50))
        alarms.told_by_tool(unit, incident.id, "Dr Martin", "api/glpi", now)
        assert [e.verb for e in unit.trail(most=50)][: -before or None] == ["acknowledge"]
    (call,) = practice.calls()
    assert (call.course.phase, call.course.name) == ("acknowledged", "Dr Martin")
    practice.look(seconds=300)
    assert practice.phones.names == ["ali/sms"]


def test_a_finding_of_a_vault_that_opens_an_incident_rings(practice: Practice) -> None:
    practice.on_call("ali")
    vault = add_vault(practice.store, practice.structure, "coffre")
    vault.tell_head(5)
    vault.tell_head(3)  # it goes back: somebody may have laid another in its place
    practice.look()
    assert practice.phones.names == ["ali/sms"]
    assert practice.incident().host == vault.id
