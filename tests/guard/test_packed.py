"""Touches that nobody adds to, kept as bytes."""

import random

from hypothesis import given
from hypothesis import strategies as st

from releve.flow.guard.packed import Packed
from releve.flow.guard.touches import Touches
from releve.model.held import Judged, Name
from releve.recover.rollback import Touch

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "put", "take")),
        st.integers(0, 400).map(lambda number: b"%d" % number * (number % 7 + 1)),
    ),
    max_size=600,
)


def touch(file: bytes, last_ns: int = 9, **more: object) -> Touch:
    return Touch(file=file, folder=2, first_ns=3, last_ns=last_ns, **more)  # type: ignore[arg-type]


def held(packed: Packed) -> dict[bytes, Touch]:
    found = {one.file: one for one in packed}
    assert len(found) == len(packed)
    return found


@given(STEPS)
def test_it_answers_as_a_dictionary_would(steps: list[tuple[str, bytes]]) -> None:
    packed, known = Packed(), dict[bytes, Touch]()
    for at, (what, file) in enumerate(steps):
        if what == "take" or file in known:
            assert packed.take(file) == known.pop(file, None)
        else:
            known[file] = touch(file, at, wrote=bool(at % 2), became=(Name(file, b"d" * (at % 5)),))
            packed.put(known[file])
    assert held(packed) == known


def test_all_of_a_touch_comes_back() -> None:
    whole = Touch(
        file=b"\0handle\xff", folder=3, first_ns=2**62, last_ns=2**62 + 5, bad_ns=6, wrote_ns=7,
        looked_ns=8, created=True, wrote=True, deleted=True, was=(Name(b"d", b"a"),),
        became=(Name(b"d", "été".encode()), Name(b"e", b"\xff")), judged=Judged.CLEAN,
    )  # fmt: skip
    packed = Packed()
    packed.put(whole)
    assert packed.take(b"\0handle") is None
    assert packed.take(whole.file) == whole
    assert packed.take(whole.file) is None
    assert list(packed) == []


def test_a_name_that_holds_another_file_s_key_is_not_taken_for_it() -> None:
    packed = Packed()
    packed.put(touch(b"one", became=(Name(b"two", b"two"),)))
    assert packed.take(b"two") is None
    packed.put(touch(b"two"))
    assert packed.take(b"two") == touch(b"two")
    assert packed.take(b"one") == touch(b"one", became=(Name(b"two", b"two"),))


def test_no_block_grows_with_the_number_of_touches() -> None:
    """Nobody waits for more than a block, while one is put and while one is taken."""
    packed = Packed()
    for number in range(20_000):
        packed.put(touch(b"%020d" % number))
    sizes = [len(block) for block in packed._blocks]
    assert max(sizes) < 12 * sum(sizes) / len(sizes)
    assert sum(sizes) < 20_000 * 120
    for number in random.Random(7).sample(range(20_000), 500):
        assert packed.take(b"%020d" % number) == touch(b"%020d" % number)


def test_only_what_is_sound_and_old_is_forgotten() -> None:
    packed = Packed()
    for number in range(1000):
        judged = (Judged.CLEAN, Judged.BAD, Judged.NOT_YET)[number % 3]
        packed.put(touch(b"%d" % number, number, judged=judged))
    for _ in range(20):  # a few blocks at a time
        packed.forget(500)
    kept = {int(file) for file in held(packed)}
    assert kept == {number for number in range(1000) if number % 3 or number >= 500}


def test_what_is_found_is_whole_again_and_what_is_removed_is_gone() -> None:
    touches, late = Touches(), 10**12
    for file in (b"a", b"b", b"c"):
        touches.put(touch(file))
    a = touches.find(b"a")
    assert a is not None
    for one in touches.live():
        touches.pack(one, late)
    assert touches.live() == []
    again = touches.find(b"a")
    assert (again, again is a) == (a, False)
    assert touches.find(b"a") is again
    touches.pack(a, late)  # somebody else's: another stands in its place
    assert touches.find(b"a") is again
    touches.remove(b"b")
    touches.remove(b"b")
    assert [one.file for one in touches] == [b"a", b"c"]
    assert len(touches) == 2


def test_what_is_young_or_bad_is_not_packed() -> None:
    touches = Touches()
    young, bad = touch(b"young", 10**12 - 1), touch(b"bad", judged=Judged.BAD)
    for one in (young, bad):
        touches.put(one)
        touches.pack(one, 10**12)
    assert touches.live() == [young, bad]
