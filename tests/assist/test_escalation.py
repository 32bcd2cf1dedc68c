"""The escalation as a dialogue: time and outcomes in, rings and proof out."""

import datetime as dt

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.assist.escalation import (
    Acknowledged,
    Again,
    Closed,
    Delivered,
    Failed,
    Limits,
    Tick,
    begin,
    lost,
    step,
    wake_at,
)
from releve.model.help import Course, Responder, Step
from tests.assist.people import T0, person

LIMITS = Limits()
ALI, BEA = person("ali", "sms", "mail"), person("bea")


class Talk:
    """What goes in and comes out, with the seconds since the call."""

    def __init__(self, *chain: Responder) -> None:
        self.chain, self.course = chain, begin(T0, T0)
        self.steps: list[Step] = []

    def at(self, seconds: float) -> dt.datetime:
        return T0 + dt.timedelta(seconds=seconds)

    def give(self, given: object) -> list[str]:
        self.course, steps = step(self.course, given, LIMITS)
        self.steps += steps
        return [f"{s.kind} {s.person} {s.channel}".strip() for s in steps]

    def tick(self, seconds: float) -> list[str]:
        return self.give(Tick(self.at(seconds), self.chain))

    def deliver(self, seconds: float, number: int) -> list[str]:
        return self.give(Delivered(self.at(seconds), number))

    def fail(self, seconds: float, number: int) -> list[str]:
        return self.give(Failed(self.at(seconds), number, "refused"))


def test_the_first_is_rung_at_once_on_all_channels_and_the_next_after_45_seconds() -> None:
    talk = Talk(ALI, BEA)
    assert talk.tick(0) == ["ring ali sms", "ring ali mail"]
    assert talk.tick(44.9) == []
    assert talk.deliver(1, 2) == ["delivered ali sms"]
    assert talk.tick(45) == ["ring bea sms"]
    assert wake_at(talk.course) == talk.at(15)  # a mail of which nothing was heard


def test_when_every_channel_of_a_person_fails_the_next_one_is_rung_at_once() -> None:
    talk = Talk(ALI, BEA)
    talk.tick(0)
    assert talk.fail(1, 2) == ["failed ali sms"]
    assert talk.tick(1) == []  # the mail may still arrive
    talk.fail(2, 3)
    assert talk.tick(2) == ["ring bea sms"]


def test_one_channel_that_arrived_is_enough_to_wait_for_an_answer() -> None:
    talk = Talk(ALI, BEA)
    talk.tick(0)
    talk.deliver(1, 2)
    talk.fail(2, 3)
    assert talk.tick(44) == []


def test_a_late_failure_of_the_one_before_does_not_hurry_the_present_one() -> None:
    talk = Talk(ALI, BEA)
    talk.tick(0)
    talk.tick(45)
    talk.fail(46, 2)
    talk.fail(46, 3)
    assert talk.tick(47) == []


def test_who_acknowledges_ends_the_ringing_and_is_named() -> None:
    talk = Talk(ALI, BEA)
    talk.tick(0)
    assert talk.give(Acknowledged(talk.at(20), "ali", "Ali Martin", "sms")) == [
        "acknowledged ali sms"
    ]
    assert (talk.course.phase, talk.course.name) == ("acknowledged", "Ali Martin")
    assert talk.course.acknowledged_at == talk.at(20)
    assert wake_at(talk.course) is None
    assert talk.tick(60) == []
    assert talk.give(Acknowledged(talk.at(21), "bea", "Bea")) == []  # the first one has it
    assert talk.deliver(22, 2) == ["delivered ali sms"]  # the proof stays whole
    assert talk.give(Closed(talk.at(300), "ali")) == ["closed ali"]
    assert talk.give(Closed(talk.at(301), "bea")) == []


def run(talk: Talk, *, until: float = 1000, every: float = 0.5) -> None:
    seconds = 0.0
    while talk.course.phase == "ringing" and seconds < until:
        talk.tick(seconds)
        for ring in talk.course.out:
            talk.deliver(seconds, ring.number)
        seconds += every


def test_the_whole_chain_is_rung_again_and_its_end_is_proved() -> None:
    talk = Talk(ALI, BEA)
    run(talk)
    assert talk.course.phase == "ended"
    assert talk.steps[-1].kind == "end_of_chain"
    rounds = [(s.round, s.person) for s in talk.steps if s.kind == "ring" and s.channel == "sms"]
    assert rounds == [(r, p) for r in (1, 2, 3, 4) for p in ("ali", "bea")]
    assert (talk.course.ended_at - T0).total_seconds() == 360
    assert talk.give(Acknowledged(talk.at(900), "bea", "Bea", "sms")) == ["acknowledged bea sms"]


def test_a_long_chain_is_rung_twice_however_long_it_takes() -> None:
    talk = Talk(*(person(f"p{n}") for n in range(10)))
    run(talk)
    assert sum(s.kind == "ring" for s in talk.steps) == 20


def test_with_nobody_on_call_it_says_so_at_once() -> None:
    talk = Talk()
    assert talk.tick(0) == ["nobody_on_call"]
    assert talk.course.phase == "ended"


def test_who_comes_on_duty_while_one_would_insist_is_rung() -> None:
    talk = Talk()
    talk.tick(0)
    assert wake_at(talk.course) == talk.at(45)
    assert talk.tick(45) == []
    talk.chain = (BEA,)
    assert talk.tick(89) == []
    assert talk.tick(90) == ["ring bea sms"]
    assert (talk.course.phase, talk.course.ended_at) == ("ringing", None)
    run(talk)
    assert [s.kind for s in talk.steps][-1] == "end_of_chain"
    assert wake_at(talk.course) is None


def test_a_shift_that_ends_in_mid_chain_gives_way_to_the_next_one() -> None:
    talk = Talk(ALI)
    talk.tick(0)
    talk.chain = ()
    assert talk.tick(45) == ["end_of_chain"]
    talk.chain = (BEA,)
    assert talk.tick(90) == ["ring bea sms"]


def test_looking_for_somebody_on_duty_ends_when_insisting_would() -> None:
    talk = Talk()
    for seconds in range(0, 400, 5):
        talk.tick(seconds)
    assert [s.kind for s in talk.steps] == ["nobody_on_call"]
    assert (talk.course.phase, wake_at(talk.course)) == ("ended", None)
    talk.chain = (BEA,)
    assert talk.tick(500) == []


def test_who_rings_again_after_nobody_came_has_all_rung_anew_for_as_long() -> None:
    talk = Talk(ALI, BEA)
    run(talk)
    assert talk.give(Again(talk.at(800), "c2")) == ["again c2"]
    assert wake_at(talk.course) == talk.at(800)
    rung = []
    for seconds in range(800, 1300):
        rung += talk.give(Tick(talk.at(seconds), talk.chain, talk.at(800)))
        for ring in talk.course.out:
            talk.deliver(seconds, ring.number)
    assert rung.count("ring ali sms") == rung.count("ring bea sms") == 4
    assert talk.course.ended_at == talk.at(1160)
    assert [s.number for s in talk.steps] == list(range(2, len(talk.steps) + 2))


def test_who_rings_again_while_it_rings_or_once_somebody_comes_changes_no_turn() -> None:
    talk = Talk(ALI, BEA)
    talk.tick(0)
    talk.give(Again(talk.at(5), "c2"))
    assert talk.tick(6) == []
    talk.give(Acknowledged(talk.at(10), "ali", "Ali"))
    talk.give(Again(talk.at(20), "c3"))
    assert (talk.course.phase, wake_at(talk.course)) == ("acknowledged", None)


def test_a_dead_network_is_tried_again_for_as_long_as_people_are() -> None:
    talk = Talk(ALI, BEA)
    for tenth in range(4000):
        talk.tick(tenth / 10)
        for ring in talk.course.out:
            talk.fail(tenth / 10, ring.number)
    rings = [s for s in talk.steps if s.kind == "ring" and s.channel == "sms"]
    assert talk.course.phase == "ended"
    assert len({s.round for s in rings}) >= 8
    assert {s.person for s in rings} == {"ali", "bea"}


def test_who_comes_on_duty_meanwhile_is_rung() -> None:
    talk = Talk(ALI)
    talk.tick(0)
    talk.chain = (BEA,)
    assert talk.tick(45) == ["ring bea sms"]


def test_a_ring_whose_sender_is_gone_is_sent_again_under_its_own_number() -> None:
    talk = Talk(ALI)
    talk.tick(0)
    course, gone = lost(talk.course, talk.at(14), LIMITS)
    assert gone == ()
    course, gone = lost(course, talk.at(15), LIMITS)
    assert [r.number for r in gone] == [2, 3]
    assert lost(course, talk.at(16), LIMITS)[1] == ()  # it is being sent
    # The only server of a database knows at once that nobody sends it.
    assert len(lost(talk.course, talk.at(1), LIMITS, talk.at(0.5))[1]) == 2
    assert lost(talk.course, talk.at(1), LIMITS, talk.at(-1))[1] == ()


def test_after_hours_without_a_server_the_next_one_is_rung_at_once() -> None:
    talk = Talk(ALI, BEA)
    talk.tick(0)
    assert talk.tick(7200) == ["ring bea sms"]


def test_a_clock_that_was_put_back_forgets_nobody() -> None:
    talk = Talk(ALI, BEA)
    talk.tick(0)
    assert talk.tick(-3600) == ["ring bea sms"]
    assert len(lost(talk.course, talk.at(-3600), LIMITS)[1]) == 2


INPUTS = st.lists(
    st.tuples(st.sampled_from(["tick", "ok", "fail", "crash"]), st.floats(0.1, 60)), max_size=200
)


@settings(max_examples=150, deadline=None)
@given(given_=INPUTS, chain=st.integers(0, 4))
def test_whatever_happens_it_ends_and_its_proof_is_numbered_without_a_gap(
    given_: list[tuple[str, float]], chain: int
) -> None:
    talk, now = Talk(*(person(f"p{n}", "sms", "mail") for n in range(chain))), 0.0
    for what, seconds in given_:
        now += seconds
        if what in ("ok", "fail") and talk.course.out:
            talk.deliver(now, talk.course.out[0].number) if what == "ok" else talk.fail(
                now, talk.course.out[0].number
            )
        elif what == "crash":
            body = msgspec.json.encode(talk.course)  # all that a new server has
            talk.course, _ = lost(msgspec.json.decode(body, type=Course), talk.at(now), LIMITS)
        talk.tick(now)
    while talk.course.phase == "ringing" and now < 1e5:
        now += 45
        talk.tick(now)
    assert talk.course.phase == "ended"
    assert [s.number for s in talk.steps] == list(range(2, len(talk.steps) + 2))
    assert talk.course.number == talk.steps[-1].number
    rings = {s.number for s in talk.steps if s.kind == "ring"}
    assert {s.of for s in talk.steps if s.kind in ("delivered", "failed")} <= rings
