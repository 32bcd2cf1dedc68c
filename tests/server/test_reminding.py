"""A legal clock that runs out rings a named person, by the rota and proof of calls for help."""

import datetime as dt

import pytest

from releve.adapters.sql.store import SqlStore
from releve.apps.server.help_words import telling
from releve.flow.server import obligations
from releve.flow.server.assist import answering, rotas
from releve.flow.server.months import month_of
from releve.flow.server.reminding import remind, remind_some
from releve.model.help import HelpRequest, Step
from releve.report.assistance import answers
from tests.assist.people import always, person
from tests.server.declared import LAW, attacked, declare
from tests.server.test_help import Desk
from tests.server.test_obligations import sent
from tests.server.world import T0

HOUR = dt.timedelta(hours=1)


class Clocks(Desk):
    """A practice whose attack was declared at T0, with somebody on call."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store)
        host, self.incident = attacked(store)
        self.structure = host.structure
        with store.unit(self.structure) as unit:
            for call in unit.help_requests():  # the attack's own: somebody came
                answering.close(unit, call.id, "", actor="claire", now=T0)
        self.on_call("ali", "bea")
        declare(store, self.structure, self.incident)

    def after(self, hours: float) -> None:
        """The server's housekeeping at that time, then its escalation."""
        self.clock.at = T0 + hours * HOUR
        while remind_some(self.store, self.structure, LAW, self.clock.now()):
            pass
        self.look()

    def calls(self) -> list[HelpRequest]:
        with self.store.unit(self.structure, writes=False) as unit:
            return [call for call in unit.help_requests() if call.clocks]

    def press(self) -> None:
        assert answering.answer(self.store, self.phones.code(), self.clock.now()) is not None


@pytest.fixture
def clocks(store: SqlStore) -> Clocks:
    return Clocks(store)


def kinds(steps: list[Step]) -> list[str]:
    return [step.kind for step in steps]


def test_who_is_on_call_is_rung_at_the_content_s_times_and_takes_it_by_name(clocks: Clocks) -> None:
    clocks.after(0.9)
    assert clocks.phones.rung == []
    clocks.after(1.1)  # L4, without a delay: orange after an hour
    assert clocks.phones.names == ["ali/sms"]
    clocks.look(seconds=45)
    assert clocks.phones.names == ["ali/sms", "bea/sms"]
    clocks.press()
    clocks.look(seconds=300)
    (call,) = clocks.calls()
    assert (call.source, call.course.phase, call.course.name) == (
        "clock", "acknowledged", "Bea Martin",
    )  # fmt: skip
    assert [(c.incident, c.duty, c.mark, c.at) for c in call.clocks] == [
        (clocks.incident, "L4", "orange", T0 + HOUR)
    ]
    assert call.context.incidents[0].id == clocks.incident
    _, steps = clocks.read(call.id)
    assert steps[0].due_at == T0 + HOUR
    assert kinds(steps) == ["opened", "ring", "delivered", "ring", "delivered", "acknowledged"]
    assert all(step.at.tzinfo for step in steps)
    assert len(clocks.phones.rung) == 2
    with clocks.store.unit(clocks.structure, writes=False) as unit:
        verbs = [(e.verb, e.object) for e in unit.trail(most=10)]
        assert ("acknowledge", f"help/{call.id}") in verbs
        assert ("remind", f"obligation/{clocks.incident}/L4") in verbs


def test_half_of_a_delay_is_shown_and_rings_nobody(clocks: Clocks) -> None:
    clocks.after(5)
    clocks.press()
    rung = len(clocks.phones.rung)
    clocks.after(36.5)  # half of L1's 72 hours
    assert len(clocks.phones.rung) == rung
    with clocks.store.unit(clocks.structure, writes=False) as unit:
        clock = unit.obligation(clocks.incident, "L1")
        assert clock is not None
        assert [r.mark for r in clock.reminders] == ["50"]
    clocks.after(54.5)
    assert len(clocks.phones.rung) == rung + 1


def test_what_comes_due_together_or_while_it_still_rings_is_one_call(clocks: Clocks) -> None:
    clocks.after(1.1)
    clocks.after(4.1)  # nobody took the first
    (call,) = clocks.calls()
    assert [c.mark for c in call.clocks] == ["orange", "red"]
    assert "again" in kinds(clocks.read(call.id)[1])
    clocks.press()
    clocks.after(60)  # L1 and others: three quarters of 72 hours
    newest, _ = clocks.calls()
    assert {c.mark for c in newest.clocks} == {"75"}
    assert len({c.duty for c in newest.clocks}) > 1


def test_whatever_the_server_s_clock_does_nobody_is_rung_twice_for_one_reminder(
    clocks: Clocks,
) -> None:
    for hours in (2, -3, 1.5, 70, 60, 71, 200, -50, 201):
        clocks.after(hours)
        for call in clocks.calls():
            with clocks.store.unit(clocks.structure) as unit:
                answering.close(unit, call.id, "", actor="claire", now=clocks.clock.now())
    told = [(c.incident, c.duty, c.mark) for call in clocks.calls() for c in call.clocks]
    assert len(told) == len(set(told)) > 6


def test_what_was_decided_rings_nobody(clocks: Clocks) -> None:
    with clocks.store.unit(clocks.structure) as unit:
        for clock in unit.obligations(clocks.incident):
            if clock.state.value == "running" and clock.duty != "L1":
                obligations.send(unit, LAW, clocks.incident, clock.duty, sent(), login="claire")
    clocks.after(500)
    assert {c.duty for call in clocks.calls() for c in call.clocks} == {"L1"}


def test_it_is_told_and_rung_or_neither(clocks: Clocks) -> None:
    """A server that ends between the two does both when it is back."""
    now = T0 + 2 * HOUR

    def end_in_the_middle() -> None:
        with clocks.store.unit(clocks.structure) as unit:
            assert remind(unit, LAW, now)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        end_in_the_middle()
    assert clocks.calls() == []
    assert remind_some(clocks.store, clocks.structure, LAW, now) == 1
    assert len(clocks.calls()) == 1


def test_it_counts_for_nothing_in_the_times_to_help(clocks: Clocks) -> None:
    clocks.after(1.1)
    clocks.press()
    assert answers(clocks.calls()).times.n == 0
    with clocks.store.unit(clocks.structure, writes=False) as unit:
        assert unit.help_of(month_of("2026-11", "Europe/Paris")) == []


def test_the_message_names_the_structure_and_the_link_and_nothing_else(clocks: Clocks) -> None:
    clocks.clock.at = T0 + 2 * HOUR
    remind_some(clocks.store, clocks.structure, LAW, clocks.clock.now())
    ((structure, request),) = clocks.driver.waking()
    (call,) = clocks.driver.move(structure, request)
    said = telling("https://releve.example")(call)
    assert said.title == "Relève\xa0: échéance légale"
    assert said.body.splitlines() == [
        "Une échéance légale de Cabinet A approche ou est passée.",
        f"Je m’en charge\xa0: https://releve.example/a/{call.code}",
    ]
    invited = answering.look(clocks.store, call.code, clocks.clock.now())
    assert invited is not None
    assert invited.is_reminder


def test_with_nobody_on_call_it_says_so_and_rings_who_comes_on(clocks: Clocks) -> None:
    empty = always(person("ali"))
    rotas.keep(
        clocks.store, clocks.structure, type(empty)(people=empty.people, shifts=()),
        actor="a", now=T0,
    )  # fmt: skip
    clocks.after(1.1)
    (call,) = clocks.calls()
    assert call.course.phase == "ended"
    assert "nobody_on_call" in kinds(clocks.read(call.id)[1])
    clocks.on_call("bea")
    clocks.look(seconds=50)
    assert clocks.phones.names == ["bea/sms"]
