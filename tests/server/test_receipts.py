"""A receipt's number goes to the clock that asked for it, to no other, and never moves when it was sent."""

import datetime as dt

import pytest

from releve.adapters.sql.store import SqlStore
from releve.flow.server import dossiers, obligations, receipts, reminding
from releve.flow.server.dossiers import Who
from releve.model.dossier import Dossier
from releve.model.obligation import Decision, Obligation, State
from releve.model.structure import StructureKind
from tests.server.declared import FORMS, LAW, attacked, declare
from tests.server.world import T0

HOUR = dt.timedelta(hours=1)


class Case:
    """A declared attack; its dossiers are signed and receipted an hour after another."""

    def __init__(self, store: SqlStore, kind: StructureKind = StructureKind.CLINIC) -> None:
        self.store = store
        host, self.incident = attacked(store, kind=kind)
        self.structure, self.now = host.structure, T0
        declare(store, self.structure, self.incident, answers={"disturbed": "yes"})

    def receipt(self, kind: str, number: str, *, is_part: bool = False) -> None:
        self.now += HOUR
        who = Who(login="claire", at=self.now)
        form = dossiers.form_of(FORMS, kind)
        with self.store.unit(self.structure) as unit:
            dossiers.sign(unit, LAW, form, self.incident, ("Dr Martin", "gérante"), who)
            made = dossiers.attach(unit, form, self.incident, number, b"%PDF", who)
            sending = receipts.Sending(login="claire", at=self.now, is_part=is_part)
            receipts.carry(unit, LAW, made, sending)

    def decide(self, duty: str, decision: Decision) -> None:
        with self.store.unit(self.structure) as unit:
            act = obligations.not_due if decision.state is State.NOT_DUE else obligations.send
            act(unit, LAW, self.incident, duty, decision, login="claire")

    def clock(self, duty: str) -> Obligation:
        with self.store.unit(self.structure, writes=False) as unit:
            found = unit.obligation(self.incident, duty)
        assert found is not None
        return found


@pytest.fixture
def case(store: SqlStore) -> Case:
    return Case(store)


def test_the_clock_is_done_by_the_signer_with_the_number(case: Case) -> None:
    case.receipt("complaint", "PV-1")
    (said,) = case.clock("L13").decisions
    assert (said.state, said.by, said.reference) == (State.DONE, "Dr Martin", "PV-1")
    assert said.sent_at == case.now
    with case.store.unit(case.structure, writes=False) as unit:
        newest = unit.trail(most=1)[0]
    assert (newest.verb, newest.detail) == ("done", "Dr Martin: PV-1")
    for other in ("L1", "L14", "L6"):
        assert case.clock(other).state is State.RUNNING


def test_only_what_the_law_completes_is_sent_in_part(case: Case) -> None:
    case.receipt("cnil-initial", "CNIL-1", is_part=True)
    case.receipt("complaint", "PV-1", is_part=True)
    assert case.clock("L1").state is State.PARTIAL
    assert case.clock("L13").state is State.DONE
    case.receipt("cnil-complementary", "CNIL-2")
    assert [d.reference for d in case.clock("L1").decisions] == ["CNIL-1", "CNIL-2"]
    assert case.clock("L1").state is case.clock("L2").state is State.DONE


def test_what_was_said_sent_gets_its_number_and_keeps_its_time(case: Case) -> None:
    case.decide("L13", Decision(state=State.DONE, by="Anne", at=T0, sent_at=T0))
    case.receipt("complaint", "PV-1")
    case.receipt("complaint", "PV-2")
    clock = case.clock("L13")
    assert [d.reference for d in clock.decisions] == ["", "PV-1"]
    assert (clock.state, clock.sent_at) == (State.DONE, T0)


def test_the_second_receipt_of_a_form_is_of_the_duty_that_follows(case: Case) -> None:
    case.receipt("psig", "PSIG-1")
    with case.store.unit(case.structure, writes=False) as unit:
        duty = LAW.find("L7", case.clock("L7").law_from)
        assert duty is not None
        assert receipts.number_of(unit, case.clock("L7"), duty) == ""
    assert case.clock("L7").state is State.RUNNING
    case.receipt("psig", "PSIG-2")
    assert [d.reference for d in case.clock("L6").decisions] == ["PSIG-1"]
    assert [d.reference for d in case.clock("L7").decisions] == ["PSIG-2"]


def test_what_is_not_due_stays_so_and_an_unsigned_dossier_carries_nothing(case: Case) -> None:
    case.decide("L13", Decision(state=State.NOT_DUE, by="Anne", at=T0, reason="fausse alerte"))
    case.receipt("complaint", "PV-1")
    assert case.clock("L13").state is State.NOT_DUE
    with case.store.unit(case.structure) as unit:
        made = unit.dossier(case.incident, "insurer")
        assert isinstance(made, Dossier)
        sending = receipts.Sending(login="claire", at=T0)
        assert receipts.carry(unit, LAW, made, sending) == ()


def test_an_entry_that_is_whole_stops_its_clock_though_nobody_declares_anew(case: Case) -> None:
    texts = {"effects": "Attente.", "measures": "Coupé."}
    declare(case.store, case.structure, case.incident, texts=texts)
    with case.store.unit(case.structure) as unit:
        clock = unit.obligation(case.incident, "L4", lock=True)
        assert clock is not None
        # As a Relève kept it that did not know yet that the entry stops the clock.
        unit.put_obligation(
            Obligation(incident=clock.incident, duty="L4", law_from=clock.law_from, started_at=T0)
        )
    later = T0 + 30 * HOUR
    with case.store.unit(case.structure) as unit:
        fired = reminding.remind(unit, LAW, later)
    assert "L4" not in {timer.duty for timer in fired}
    (said,) = case.clock("L4").decisions
    assert (said.state, said.sent_at, said.from_answers) == (State.DONE, T0, True)
    with case.store.unit(case.structure) as unit:
        assert obligations.enter_whole(unit, LAW) == ()
