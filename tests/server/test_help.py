"""Calls for help as they are kept, driven and answered; on SQLite and on PostgreSQL."""

import datetime as dt
import itertools
import threading

import anyio
import msgspec
import pytest
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.store import SqlStore
from releve.assist.escalation import Acknowledged, Limits
from releve.flow.server.assist import answering, asking, rotas
from releve.flow.server.assist.asking import Asked, PhoneRing, TooManyRings, ask, take_ring
from releve.flow.server.assist.escalating import Escalations
from releve.flow.server.assist.ports import Call, ChannelFailed, Message
from releve.flow.server.assist.telling import ask_from_host
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ingest import take
from releve.flow.server.live import Live
from releve.flow.server.refusal import Refused
from releve.flow.server.signin import digest
from releve.flow.wire import HelpAsk
from releve.model.help import HelpRequest, Step
from releve.report.assistance import answers
from tests.assist.people import always, person
from tests.server.world import T0, SetClock, add_host, batch, stopped


class Phones:
    """Rings nobody for real: keeps what was to be rung. `broken`: channels that refuse."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, Message]] = []
        self.broken: set[str] = set()
        self._lock = threading.Lock()

    def ring(self, url: str, message: Message) -> None:
        with self._lock:
            self.rung.append((url.rpartition("9/")[2], message))
        if url.rpartition("/")[2] in self.broken:
            raise ChannelFailed("refused")

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.rung]

    def code(self, place: int = -1) -> str:
        return self.rung[place][1].body


def tell(call: Call) -> Message:
    return Message(title=call.structure_name, body=call.code)


class Desk:
    """One structure, its driver, and a clock that is set."""

    def __init__(self, store: SqlStore) -> None:
        self.store, self.clock, self.phones = store, SetClock(), Phones()
        self.structure = ensure_structure(store, "Cabinet A", "s1", T0).id
        self.driver = self.new_driver()
        self._ids = itertools.count(1)

    def new_driver(self) -> Escalations:
        codes = itertools.count(1)
        prefix = id(codes)
        return Escalations(
            self.store,
            self.clock,
            Live(),
            ringer=self.phones,
            tell=tell,
            new_code=lambda: f"{prefix}-{next(codes)}",
            limits=Limits(),
        )

    def on_call(self, *names: str, channels: tuple[str, ...] = ("sms",)) -> None:
        known = always(*(person(name, *channels) for name in names))
        rotas.keep(self.store, self.structure, known, actor="admin", now=T0)

    def ask(self, text: str = "L’imprimante fume.") -> str:
        asked = Asked(
            id=f"r{next(self._ids)}", source="console", by="claire", text=text, at=self.clock.now()
        )
        return ask(self.store, self.structure, asked, self.clock.now()).id

    def look(self, **later: float) -> None:
        """Let time go on, and the driver look once; every ring has its outcome when it returns."""
        self.clock.forward(**later)

        async def once() -> None:
            async with anyio.create_task_group() as tasks:
                await self.driver.look(tasks)

        anyio.run(once)

    def read(self, request: str) -> tuple[HelpRequest, list[Step]]:
        with self.store.unit(self.structure, writes=False) as unit:
            found = unit.help_request(request)
            assert found is not None
            return found, unit.help_steps(request)


@pytest.fixture
def desk(store: SqlStore) -> Desk:
    return Desk(store)


def test_a_call_goes_through_the_chain_until_a_link_is_pressed(desk: Desk) -> None:
    desk.on_call("ali", "bea")
    request = desk.ask()
    desk.look()
    desk.look(seconds=44)
    assert desk.phones.names == ["ali/sms"]
    desk.look(seconds=1)
    assert desk.phones.names == ["ali/sms", "bea/sms"]
    desk.clock.forward(seconds=20)
    invited = answering.look(desk.store, desk.phones.code(), desk.clock.now())
    assert invited is not None
    assert (invited.name, invited.structure_name, invited.phase) == ("Bea", "Cabinet A", "ringing")
    assert desk.read(request)[0].course.phase == "ringing"  # looking changes nothing
    taken = answering.answer(desk.store, desk.phones.code(), desk.clock.now())
    assert taken is not None
    assert taken.is_mine
    desk.look(minutes=10)
    found, steps = desk.read(request)
    assert len(desk.phones.rung) == 2
    assert found.answer_s == 65
    kinds = [s.kind for s in steps]
    assert kinds == ["opened", "ring", "delivered", "ring", "delivered", "acknowledged"]
    assert steps[-1].name == "Bea Martin"
    with desk.store.unit(desk.structure, writes=False) as unit:
        assert "acknowledge" in [e.verb for e in unit.trail()]


def test_who_watches_all_structures_sees_a_call_with_the_call_itself(desk: Desk) -> None:
    desk.ask()
    with desk.store.unit(desk.structure, writes=False) as unit:
        situation = unit.situation()
    assert situation is not None
    assert (situation.help_waiting, situation.help_since) == (1, T0)


def test_a_link_is_good_once_and_ends_and_its_secret_is_not_kept(desk: Desk) -> None:
    desk.on_call("ali", "bea")
    request = desk.ask()
    desk.look()
    desk.look(seconds=45)
    first, second = desk.phones.code(0), desk.phones.code(1)
    assert answering.look(desk.store, "nobody", T0) is None
    assert answering.answer(desk.store, "nobody", T0) is None
    assert answering.look(desk.store, first, T0 + dt.timedelta(hours=12, minutes=1)) is None
    taken = answering.answer(desk.store, first, desk.clock.now())
    assert taken is not None
    again = answering.answer(desk.store, first, desk.clock.now())
    assert again is not None
    assert again.is_mine
    late = answering.answer(desk.store, second, desk.clock.now())
    assert late is not None
    assert (late.comes, late.is_mine) == ("Ali", False)
    assert [s.kind for s in desk.read(request)[1]].count("acknowledged") == 1
    with desk.store.unit(desk.structure) as unit:
        kept = repr(unit._connection.execute(sa.select(t.help_code)).all())
    assert first not in kept


def test_a_dead_channel_gives_way_to_the_next_person_at_once(desk: Desk) -> None:
    desk.on_call("ali", "bea")
    desk.phones.broken = {"sms"}
    request = desk.ask()
    desk.look()
    assert desk.phones.names == ["ali/sms", "bea/sms"]
    assert [s.why for s in desk.read(request)[1] if s.kind == "failed"] == ["refused"] * 2


def test_a_call_that_nobody_takes_ends_with_its_proof_and_may_be_taken_late(desk: Desk) -> None:
    desk.on_call("ali", "bea")
    request = desk.ask()
    for _ in range(60):
        desk.look(seconds=10)
    found, steps = desk.read(request)
    assert (found.course.phase, steps[-1].kind) == ("ended", "end_of_chain")
    assert [s.number for s in steps] == list(range(1, len(steps) + 1))
    level = answers([found])
    assert (level.times.never, level.in_time) == (1, 0)
    answering.answer(desk.store, desk.phones.code(), desk.clock.now())
    assert desk.read(request)[0].course.phase == "acknowledged"


def test_with_no_rota_at_all_it_says_so(desk: Desk) -> None:
    request = desk.ask()
    desk.look()
    assert [s.kind for s in desk.read(request)[1]] == ["opened", "nobody_on_call"]


def test_who_calls_again_after_nobody_was_on_call_is_heard(desk: Desk) -> None:
    first = ring(desk, "c1")
    for _ in range(50):
        desk.look(seconds=10)
    assert [s.kind for s in desk.read(first.id)[1]] == ["opened", "nobody_on_call"]
    desk.on_call("ali")
    desk.look(seconds=60)
    assert desk.phones.rung == []
    assert ring(desk, "c2").id == first.id
    desk.look()
    assert desk.phones.names == ["ali/sms"]
    answering.answer(desk.store, desk.phones.code(), desk.clock.now())
    found, _ = desk.read(first.id)
    assert (found.course.phase, found.answer_s) == ("acknowledged", 560)  # from the first ring


def test_a_shift_that_begins_soon_is_waited_for(desk: Desk) -> None:
    request = desk.ask()
    desk.look()
    desk.on_call("ali")
    desk.look(seconds=44)
    assert desk.phones.rung == []
    desk.look(seconds=1)
    assert desk.phones.names == ["ali/sms"]
    assert desk.read(request)[0].course.phase == "ringing"


def test_a_server_killed_between_writing_and_sending_sends_after_its_restart(desk: Desk) -> None:
    desk.on_call("ali", "bea")
    request = desk.ask()
    calls = desk.driver.move(desk.structure, request)  # kept, and then the server is gone
    assert [c.number for c in calls] == [2]
    assert desk.phones.rung == []
    desk.clock.forward(seconds=3)
    desk.driver = desk.new_driver()
    if desk.store.is_shared:
        desk.look()
        assert desk.phones.rung == []  # another server may be at it: its lease is waited for
        desk.clock.forward(seconds=12)
    else:
        desk.driver.wake_all(desk.clock.now())
    desk.look()
    assert desk.phones.names == ["ali/sms"]
    for code in (calls[0].code, desk.phones.code()):  # the link of before is good too
        assert answering.look(desk.store, code, desk.clock.now()) is not None
    _, steps = desk.read(request)
    assert [(s.kind, s.of) for s in steps[1:]] == [("ring", 0), ("delivered", 2)]


def test_after_a_long_outage_every_open_call_goes_on(desk: Desk) -> None:
    desk.on_call("ali", "bea")
    requests = [desk.ask() for _ in range(5)]
    desk.look()
    desk.clock.forward(hours=3)
    desk.driver = desk.new_driver()
    desk.look()
    assert desk.phones.names == ["ali/sms"] * 5 + ["bea/sms"] * 5
    assert {desk.read(r)[0].course.phase for r in requests} == {"ringing"}


def test_a_clock_that_is_put_back_does_not_stop_the_ringing(desk: Desk) -> None:
    desk.on_call("ali", "bea")
    desk.ask()
    desk.look()
    desk.look(hours=-2)
    assert desk.phones.names == ["ali/sms", "bea/sms"]


def test_two_servers_never_ring_for_the_same_turn_twice(desk: Desk) -> None:
    if not desk.store.is_shared:
        pytest.skip("SQLite is for one server")
    desk.on_call("ali", "bea", "cyr")
    requests = [desk.ask() for _ in range(20)]
    drivers = [desk.new_driver(), desk.new_driver()]

    async def all_at_once() -> None:
        async with anyio.create_task_group() as tasks:
            for driver in drivers:
                tasks.start_soon(driver.look, tasks)

    for _ in range(3):
        anyio.run(all_at_once)
        desk.clock.forward(seconds=45)
    assert sorted(desk.phones.names) == ["ali/sms"] * 20 + ["bea/sms"] * 20 + ["cyr/sms"] * 20
    for request in requests:
        steps = desk.read(request)[1]
        assert [s.number for s in steps] == list(range(1, len(steps) + 1))


def test_two_who_press_at_the_same_time_do_not_both_have_it(desk: Desk) -> None:
    desk.on_call("ali", "bea")
    request = desk.ask()
    desk.look()
    desk.look(seconds=45)
    seen = []
    threads = [
        threading.Thread(
            target=lambda n=n: seen.append(
                answering.answer(desk.store, desk.phones.code(n), desk.clock.now())
            )
        )
        for n in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.is_mine for one in seen) == [False, True]
    assert [s.kind for s in desk.read(request)[1]].count("acknowledged") == 1


def test_steps_can_be_neither_changed_nor_removed(desk: Desk) -> None:
    desk.ask()
    for statement in (sa.update(t.help_step).values(body=b"{}"), sa.delete(t.help_step)):
        with (
            pytest.raises(sa.exc.DatabaseError, match="append-only"),
            desk.store.unit(desk.structure) as unit,
        ):
            unit._connection.execute(statement)


def test_ways_to_people_are_sealed_at_rest(desk: Desk) -> None:
    desk.on_call("ali")
    with desk.store.unit(desk.structure) as unit:
        sealed = unit._connection.execute(sa.select(t.rota.c.sealed)).scalar_one()
    assert b"json" not in sealed
    assert b"Martin" not in sealed
    with desk.store.unit(desk.structure, writes=False) as unit:
        assert unit.rota().people[0].channels[0].url.startswith("json://")


def ring(desk: Desk, call: str, caller: str = "0299000001", **more: object) -> HelpRequest:
    given = PhoneRing(call=call, caller=caller, **more)
    return take_ring(desk.store, desk.structure, given, desk.clock.now())


def test_a_phone_call_told_twice_is_one_and_its_clock_starts_at_the_first_ring(desk: Desk) -> None:
    first_ring = desk.clock.now() - dt.timedelta(seconds=8)
    first = ring(desk, "c1", at=first_ring)
    assert first.course.opened_at == first_ring
    desk.clock.forward(seconds=5)
    assert ring(desk, "c1").id == first.id
    assert ring(desk, "c2").id == first.id  # who rings again wants the same thing
    assert [s.kind for s in desk.read(first.id)[1]] == ["opened", "again"]
    assert ring(desk, "c3", caller="").id != ring(desk, "c4", caller="").id
    for impossible in (dt.timedelta(hours=1), dt.timedelta(minutes=-1)):
        known = ring(desk, f"c{impossible}", caller="", at=desk.clock.now() - impossible)
        assert known.course.opened_at == desk.clock.now()


def test_one_line_is_one_caller_however_its_number_is_written(desk: Desk) -> None:
    first = ring(desk, "c1", caller="+33 2 99 00 00 01")
    written = ("+33299000001", "0033 2 99 00 00 01", "02.99.00.00.01", "+33 (0)2 99 00 00 01")
    for call, caller in enumerate(written, 2):
        assert ring(desk, f"c{call}", caller=caller).id == first.id, caller
    assert ring(desk, "c8", caller="+32 2 99 00 00 01").id != first.id
    assert ring(desk, "c9", caller="02 99 00 00 02").id != first.id


def test_an_exchange_gone_mad_rings_people_so_many_times_and_no_more(desk: Desk) -> None:
    for n in range(20):
        ring(desk, f"c{n}", caller=f"02990000{n:02d}")
    with pytest.raises(TooManyRings):
        ring(desk, "c99", caller="0299009999")
    desk.clock.forward(minutes=2)
    assert ring(desk, "c99", caller="0299009999").phone == "0299009999"


def test_a_ring_s_own_time_does_not_hide_it_from_the_limit(desk: Desk) -> None:
    early = desk.clock.now() - dt.timedelta(minutes=2)
    for n in range(20):
        ring(desk, f"c{n}", caller=f"02990000{n:02d}", at=early)
    with pytest.raises(TooManyRings):
        ring(desk, "c99", caller="0299009999", at=early)
    assert ring(desk, "c3", caller="0299000003").course.opened_at == early  # told before


def test_one_call_told_fifty_times_adds_one_line(desk: Desk) -> None:
    first = ring(desk, "c1")
    for _ in range(50):
        assert ring(desk, "c2").id == first.id
    assert [s.kind for s in desk.read(first.id)[1]] == ["opened", "again"]
    with desk.store.unit(desk.structure) as unit:
        answering.close(unit, first.id, "Fait.", actor="bea", now=desk.clock.now())
    assert ring(desk, "c2").id == first.id
    for n in range(3, 21):
        ring(desk, f"c{n}", caller="")
    with pytest.raises(TooManyRings):  # each call of one caller is one of the twenty
        ring(desk, "c99")


def test_a_host_gone_mad_asks_so_many_times_and_hinders_no_other(desk: Desk) -> None:
    def wanted(host: str, n: int) -> str:
        want = HelpAsk(id=f"{n}", text="", at=desk.clock.now() - dt.timedelta(minutes=2))
        return ask_from_host(desk.store, desk.structure, host, want, desk.clock.now()).request

    known = [wanted("h1", n) for n in range(20)]
    with pytest.raises(Refused, match="too_many"):
        wanted("h1", 99)
    assert wanted("h1", 5) == known[5]  # how far it is may be asked as often as one likes
    assert wanted("h2", 99)
    desk.clock.forward(minutes=2)
    assert wanted("h1", 99)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (" +33 (0)2.99-00 00 01", "+33 (0)2.99-00 00 01"),
        ("ou http://evil.example/a/x9", ""),
        ("0299000001 evil.example", ""),
        ("(.-)", ""),
        ("٠٢٩٩٠٠٠٠٠١", ""),
        ("1" * 41, ""),
    ],
)
def test_only_a_number_to_call_gets_into_a_message(desk: Desk, told: str, said: str) -> None:
    known = ring(desk, "c1", caller=told)
    assert (known.phone, known.asked_by) == (said, said or "phone")
    asked = Asked(id="x", source="console", by="claire", text="Panne.", phone=told, at=T0)
    kept = ask(desk.store, desk.structure, asked, T0)
    assert kept.phone == said
    assert kept.text == ("Panne." if said else f"Panne.\n{told}")  # whoever signs in reads it


def test_a_call_carries_what_was_known_and_no_name_of_a_file(desk: Desk) -> None:
    host = add_host(desk.store, "serveur")
    take(desk.store, host.structure, host.id, batch(stopped("f")), T0)
    asked = Asked(id="x", source="host", by="h", host=host.id, at=T0)
    context = ask(desk.store, host.structure, asked, T0).context
    assert [h.name for h in context.hosts] == ["serveur"]
    assert len(context.incidents) == 1
    assert context.findings[0].severity
    assert b"gpg" not in msgspec.json.encode(context)


def test_closing_says_what_was_done_and_who_closes_has_taken(desk: Desk) -> None:
    request = desk.ask()
    with desk.store.unit(desk.structure) as unit:
        answering.close(unit, request, "Câble remis.", actor="bea", now=desk.clock.now())
        assert answering.close(unit, "none", "", actor="bea", now=desk.clock.now()) is None
    found, steps = desk.read(request)
    assert (found.course.phase, found.course.name, found.done) == (
        "closed",
        "bea",
        "Câble remis.",
    )
    assert [s.kind for s in steps] == ["opened", "acknowledged", "closed"]
    with desk.store.unit(desk.structure, writes=False) as unit:
        assert unit.help_requests(is_open=True) == []
        trail = [(e.actor, e.verb) for e in unit.trail() if e.object == f"help/{request}"]
    assert ("bea", "acknowledge") in trail
    assert trail.count(("bea", "close")) == 1


def test_who_asked_cannot_take_the_own_call_and_closing_it_is_no_answer(desk: Desk) -> None:
    request = desk.ask()
    with pytest.raises(answering.OwnCall), desk.store.unit(desk.structure) as unit:
        answering.acknowledge(unit, request, Acknowledged(desk.clock.now(), "claire", "claire"))
    assert desk.read(request)[0].course.phase == "ringing"
    with desk.store.unit(desk.structure) as unit:
        answering.close(unit, request, "Rien.", actor="claire", now=desk.clock.now())
    found, steps = desk.read(request)
    assert (found.course.phase, found.closed_by, found.answer_s) == ("closed", "claire", None)
    assert [s.kind for s in steps] == ["opened", "closed"]
    assert answers([found]).times.n == 0


def test_asking_twice_under_one_id_is_asking_once(desk: Desk) -> None:
    asked = Asked(id="one", source="host", by="h", at=T0)
    first = ask(desk.store, desk.structure, asked, T0)
    later = ask(desk.store, desk.structure, asked, T0 + dt.timedelta(minutes=1))
    assert later == first
    assert len(desk.read("one")[1]) == 1


def test_level_of_service_counts_each_call_and_who_never_came(desk: Desk) -> None:
    for seconds in (10, 170, 200):
        request = desk.ask()
        desk.clock.forward(seconds=seconds)
        with desk.store.unit(desk.structure) as unit:
            answering.acknowledge(unit, request, Acknowledged(desk.clock.now(), "c", "C"))
    with desk.store.unit(desk.structure, writes=False) as unit:
        level = answers(unit.help_requests())
    assert (level.times.n, level.in_time, level.times.worst) == (3, 2, 200)
    assert level.times.mean == pytest.approx(380 / 3)


def test_a_phone_token_is_one_structure_s_and_only_its_hash_is_kept(desk: Desk) -> None:
    asking.make_line(desk.store, desk.structure, "secret", actor="admin", now=T0)
    assert desk.store.structure_of_help_line(digest("secret")) == desk.structure
    assert desk.store.structure_of_help_line(digest("x")) is None
    with desk.store.unit(desk.structure) as unit:
        assert "secret" not in repr(unit._connection.execute(sa.select(t.help_line)).all())
    asking.make_line(desk.store, desk.structure, "newer", actor="admin", now=T0)
    assert desk.store.structure_of_help_line(digest("secret")) is None
