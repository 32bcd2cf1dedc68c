"""What share was read again and found intact: the newest pass over a receipt counts."""

import random

from releve.recover.verified import DAY_NS, KEPT_DAYS, Coverage, Pass, kept


def proved(passes: list[Pass], since_ns: int, seq: int) -> bool:
    """The rule, said slowly."""
    over = [p for p in passes if p.at_ns >= since_ns and p.after_seq < seq <= p.to_seq]
    return bool(over) and seq not in max(over, key=lambda p: p.at_ns).bad


def some_passes(dice: random.Random) -> list[Pass]:
    found = []
    for at in dice.sample(range(1, 1000), dice.randrange(0, 9)):
        after = dice.randrange(0, 50)
        to = dice.randrange(after + 1, 60)
        bad = tuple(
            dice.sample(range(after + 1, to + 1), dice.randrange(0, min(3, to - after) + 1))
        )
        found.append(Pass(after_seq=after, to_seq=to, at_ns=at, bad=bad))
    return found


def test_coverage_is_what_the_rule_says_for_any_passes() -> None:
    dice = random.Random(11)
    for _ in range(400):
        passes, since = some_passes(dice), dice.randrange(0, 900)
        coverage = Coverage(passes, since)
        for seq in range(62):
            assert coverage.proves(seq) == proved(passes, since, seq), (passes, since, seq)


def test_an_object_found_bad_and_sound_again_later_is_sound() -> None:
    bad = Pass(after_seq=0, to_seq=9, at_ns=1, bad=(4,))
    assert not Coverage([bad], 0).proves(4)
    again = Pass(after_seq=0, to_seq=9, at_ns=2)
    assert Coverage([again, bad], 0).proves(4)
    assert Coverage([again, bad], 0).bad == set()


def test_what_is_kept_of_passes_proves_no_more_than_they_did() -> None:
    """A scrub of a minute each minute: joined by day, told as old as the oldest of them."""
    minute = DAY_NS // 1440
    calls = [Pass(after_seq=n, to_seq=n + 1, at_ns=n * minute) for n in range(3 * 1440)]
    joined = kept(calls, 3 * DAY_NS)
    assert len(joined) == 3
    for since in (0, DAY_NS // 2, 2 * DAY_NS + 5):
        before, after = Coverage(calls, since), Coverage(joined, since)
        assert all(before.proves(seq) for seq in range(1, 4321, 7) if after.proves(seq))
    assert kept(calls, (KEPT_DAYS + 5) * DAY_NS) == ()
