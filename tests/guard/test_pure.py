"""The guard's pure parts: decisions per file, points, pairs, fair queues, the kernel's bytes."""

import itertools
import operator
import struct
import threading
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.detect.ransom.content import Reason
from releve.detect.ransom.limits import Limits
from releve.detect.ransom.pairs import Fresh, Gone, Pairs
from releve.detect.ransom.score import Mark, Scores
from releve.flow.guard.book import Book, merge
from releve.flow.guard.desk import Desk
from releve.model.held import Facts, Generation, Judged, Kind, Name
from releve.model.process import Process
from releve.recover.rollback import (
    LeaveAsIs,
    PutBack,
    Quarantine,
    Touch,
    Unrecoverable,
    decide,
    keep,
)
from releve.sense import connector, fanotify

_FACTS = Facts(kind=Kind.FILE, size=1, mode=0o600, uid=0, gid=0, mtime_ns=0, ctime_ns=0)
BAD_SINCE = 1000


def held(
    number: int,
    writer: str = "",
    judged: Judged = Judged.CLEAN,
    *,
    settled: bool = True,
    taken: int = 0,
) -> Generation:
    return Generation(
        id=number, node=1, facts=_FACTS, pack=0, offset=0, taken_ns=taken or number * 10,
        writer=writer, judged=judged, settled=settled,
    )  # fmt: skip


def touch(first: int = 1000, last: int = 2000, **more: object) -> Touch:
    return Touch(file=b"f", folder=0, first_ns=first, last_ns=last, **more)  # type: ignore[arg-type]


def what(one: Touch, *generations: Generation, known: bool = True, others: int = 0) -> object:
    return decide(
        one, generations, is_family=lambda w: w == "bad", bad_since_ns=BAD_SINCE, born_ns=0,
        others_ns=[others] if others else [], window_ns=100, author_known=known,
    )  # fmt: skip


# what becomes of one file


def test_an_overwritten_original_is_put_back() -> None:
    assert what(touch(wrote=True), held(1), held(2, "bad", Judged.BAD, taken=1500)) == PutBack(
        generation=held(1)
    )


def test_what_the_family_made_goes_to_quarantine_unless_it_took_it_away() -> None:
    own = held(1, "bad", Judged.UNKNOWN, taken=1500)
    assert isinstance(what(touch(created=True), own), Quarantine)
    assert isinstance(what(touch(created=True, deleted=True), own), LeaveAsIs)
    assert isinstance(what(touch(), own), Quarantine)  # nobody else ever wrote it


def test_sound_work_of_the_family_before_it_turned_bad_is_kept() -> None:
    assert isinstance(what(touch(10, 20, judged=Judged.CLEAN), held(1)), LeaveAsIs)
    kept = held(2, "bad", Judged.CLEAN, taken=500)
    assert what(touch(wrote=True), held(1), kept) == PutBack(generation=kept)


def test_what_somebody_else_saved_over_unseen_damage_is_kept_and_the_original_given_beside() -> (
    None
):
    hasty = touch(500, 510, wrote=True, judged=Judged.CLEAN, looked_ns=700)  # it saw their save
    theirs = held(3, "other", taken=900)
    both = PutBack(generation=theirs, before=held(1))
    assert what(hasty, held(1), theirs, others=600) == both
    assert what(touch(500, 510, wrote=True), held(1), theirs, others=600) == both  # never looked
    under_its_name = held(2, "bad", taken=650)  # their save, held on the family's notification
    assert what(hasty, held(1), under_its_name, others=600) == PutBack(
        generation=under_its_name, before=held(1)
    )


def test_sound_work_that_was_looked_at_before_the_next_save_is_left_alone() -> None:
    seen = touch(500, 510, wrote=True, judged=Judged.CLEAN, looked_ns=600)
    assert isinstance(what(seen, held(1), others=600 + 10**9), LeaveAsIs)


def test_a_torn_copy_never_takes_the_place_of_a_settled_one() -> None:
    torn = held(2, "other", Judged.CLEAN, settled=False)
    assert what(touch(wrote=True), held(1), torn) == PutBack(generation=held(1), beside=True)
    assert what(touch(wrote=True), torn) == PutBack(generation=torn)


def test_a_later_edit_of_somebody_else_is_kept_beside() -> None:
    other = held(3, "other", Judged.BAD, taken=3000)
    found = what(touch(wrote=True), held(1), other)
    assert found == PutBack(generation=held(1), beside=True)


def test_a_save_that_was_not_held_in_time_is_told() -> None:
    found = what(touch(wrote=True), held(1), others=900)
    assert found == PutBack(generation=held(1), newest_lost=True)


def test_what_was_never_held_is_told_apart_by_the_window() -> None:
    assert what(touch(50, 60, wrote=True)) == Unrecoverable(newest_only=True)
    assert what(touch(5000, 6000, wrote=True)) == Unrecoverable(newest_only=False)


def test_of_an_unknown_writer_only_what_is_proved_is_undone() -> None:
    assert isinstance(what(touch(judged=Judged.CLEAN), held(1), known=False), LeaveAsIs)
    bad = what(touch(wrote=True, judged=Judged.BAD), held(1), known=False)
    doubtful = what(touch(wrote=True, judged=Judged.UNKNOWN), held(1), known=False)
    assert bad == PutBack(generation=held(1))
    assert doubtful == PutBack(generation=held(1), beside=True)
    made = touch(created=True, judged=Judged.UNKNOWN)
    assert isinstance(what(made, known=False), Quarantine)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a", "b", "c"]), st.sampled_from(list(Judged)), st.booleans()
        ),
        max_size=40,
    )
)
def test_a_flood_of_saves_pushes_out_neither_the_oldest_nor_the_last_sound(
    rows: list[tuple[str, Judged, bool]],
) -> None:
    versions = [held(n + 1, w, j, settled=s) for n, (w, j, s) in enumerate(rows)]
    kept = keep(versions, 8)
    assert len(kept) <= max(8, 2)
    if versions:
        assert {versions[0].id, versions[-1].id} <= kept
    sound = [g.id for g in versions if g.settled and g.judged is Judged.CLEAN]
    assert not sound or sound[-1] in kept


def test_sound_rewriting_by_one_family_pushes_out_no_save_of_somebody_else() -> None:
    versions = [held(n + 1, w, Judged.CLEAN) for n, w in enumerate(["", "b", "a", "a", "a", "a"])]
    assert {1, 2, 6} <= keep(versions, 8)


# points


def mark(file: bytes, points: float, at: float = 0.0) -> Mark:
    return Mark(file=file, reasons=(Reason(why_fr="fr", why_en="en", score=points),), at_s=at)


def test_points_convict_the_lowest_common_ancestor() -> None:
    scores = Scores(Limits())
    assert scores.add(("child1", "shell"), mark(b"1", 4)) is None
    assert scores.add(("child2", "shell"), mark(b"2", 4)) is None
    assert scores.add(("child3", "shell"), mark(b"3", 4)) == "shell"
    scores.settle(("shell",))
    assert scores.add(("child4", "shell"), mark(b"4", 4)) is None


def test_one_file_counts_once_and_may_be_dropped() -> None:
    scores = Scores(Limits())
    for _ in range(5):
        assert scores.add(("p",), mark(b"1", 4)) is None
    scores.drop(("p",), b"1")
    assert scores.total("p") == 0


def test_old_points_no_longer_count() -> None:
    limits = Limits()
    scores = Scores(limits)
    scores.add(("p",), mark(b"1", 8))
    assert scores.add(("p",), mark(b"2", 8, limits.family_memory_s + 1)) is None


def test_many_small_families_of_one_user_fall_together() -> None:
    scores = Scores(Limits())
    assert scores.add_to_pool(5, "a", 4, 0) == ()
    assert scores.add_to_pool(5, "b", 4, 1) == ()
    assert scores.add_to_pool(6, "z", 4, 1) == ()
    assert scores.add_to_pool(5, "c", 4, 2) == ("a", "b", "c")


def test_deletion_is_judged_by_its_share() -> None:
    scores = Scores(Limits())
    few = [scores.deleted(("p",), lambda: 10_000, n) for n in range(300)]
    most = [scores.deleted(("q",), lambda: 5, n / 10) for n in range(60)]
    assert set(few) == {None}
    assert "q" in most


def test_new_files_are_a_reason_for_deletions_as_long_as_they_are_new() -> None:
    limits = Limits()

    def convicted(seconds_between: float) -> bool:
        scores = Scores(limits)
        for _ in range(60):
            scores.created(("p",), 100.0)
        after = 100.0 + seconds_between
        return "p" in [scores.deleted(("p",), lambda: 5, after) for _ in range(60)]

    assert not convicted(limits.mass_deletion_s - 1)
    assert convicted(limits.mass_deletion_s + 1)


def test_who_makes_files_for_weeks_is_not_remembered_file_by_file() -> None:
    scores = Scores(Limits())
    for hour in range(500):
        for number in range(200):
            scores.created(("p",), 3600.0 * hour + number / 100)
    recent = scores._sums["p"].created
    assert recent.count == 200
    assert len(recent._seconds) < 10


def test_a_ciphertext_pairs_with_the_original_of_its_name_and_family() -> None:
    pairs = Pairs(100, 10.0, 60.0)
    fresh = Fresh(file=b"n", name=b"a.docx.enc", size=900, opaque=True, lineage=("p", "sh"), at_s=0)
    assert pairs.add_fresh(fresh) is None
    own = Gone(file=b"m", name=b"a.docx", size=800, lineage=("rm", "sh"), at_s=1)
    assert pairs.add_gone(own) == fresh


@pytest.mark.parametrize(
    ("name", "at_s", "opaque", "is_pair"),
    [
        (b"a.docx", 1, True, True),
        (b"a.pdf", 1, True, False),
        (b"a.docx", 99, True, False),
        (b"a.docx", 1, False, False),
    ],
)
def test_a_stranger_deletes_for_somebody_elses_ciphertext_of_the_whole_name_soon_only(
    name: bytes, at_s: float, *, opaque: bool, is_pair: bool
) -> None:
    pairs = Pairs(100, 10.0, 60.0)
    pairs.add_fresh(
        Fresh(file=b"n", name=b"a.docx.enc", size=900, opaque=opaque, lineage=("p",), at_s=0)
    )
    gone = Gone(file=b"o", name=name, size=800, lineage=("x",), at_s=at_s)
    assert (pairs.add_gone(gone) is not None) is is_pair


# queues


def test_a_writer_who_floods_delays_another_by_one_job_at_most() -> None:
    desk: Desk[str] = Desk(lambda _old, new: new, itertools.count().__next__)
    for n in range(1000):
        desk.put("flood", n, "flood")
    desk.put("small", 1, "small")
    assert "small" in [desk.get(0), desk.get(0)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=60))
@settings(deadline=None)
def test_every_thing_is_handed_out_once_merged_and_in_its_lanes_order(
    puts: list[tuple[int, int]],
) -> None:
    desk: Desk[tuple[int, int, int]] = Desk(
        lambda old, new: (*new[:2], old[2] + new[2]), lambda: 0.0
    )
    for lane, thing in puts:
        desk.put(lane, thing, (lane, thing, 1))
    got = []
    while (item := desk.get(0)) is not None:
        got.append(item)
        desk.done()
    assert sum(item[2] for item in got) == len(puts)
    assert {item[:2] for item in got} == set(puts)
    assert desk.is_idle()


def test_who_puts_work_does_not_wait_for_one_who_takes_it() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def merge_slowly(old: int, new: int) -> int:
        inside.set()
        assert go_on.wait(30)
        return old + new

    desk: Desk[int] = Desk(merge_slowly, time.monotonic)
    desk.put("a", 1, 1)
    desk.put("a", 1, 2)
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(desk.get(0)))
    taker.start()
    assert inside.wait(30)
    desk.put("a", 2, 3)  # would never come back if it took the taker's lock
    desk.put_later(0.0, "a", 3, 4)
    go_on.set()
    taker.join(30)
    assert [*taken, desk.get(0), desk.get(0.1), desk.get(0)] == [3, 3, 4, None]


def test_of_several_who_put_work_at_once_nothing_is_lost_and_the_waiting_one_is_woken() -> None:
    desk: Desk[int] = Desk(operator.add, time.monotonic)
    putters = [
        threading.Thread(target=lambda: [desk.put(n % 7, n % 500, 1) for n in range(5000)])
        for _ in range(3)
    ]
    for putter in putters:
        putter.start()
    done = 0
    while done < 15_000:
        item = desk.get(30)
        assert item is not None
        done += item
        desk.done()
    assert done == 15_000
    assert desk.is_idle()


def test_what_is_due_after_the_one_who_waits_looks_again_does_not_wake_him() -> None:
    looks: list[int] = []

    def steady() -> float:
        looks.append(threading.get_ident())
        return time.monotonic()

    desk: Desk[int] = Desk(operator.add, steady)
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(desk.get(1.0)))
    taker.start()
    until = time.monotonic() + 30
    while taker.ident not in looks[1:] and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)  # he waits now
    before = looks.count(taker.ident)
    for number in range(100):
        desk.put_later(60.0, "a", number, number)
        time.sleep(0.002)
    taker.join(30)
    assert taken == [None]
    assert looks.count(taker.ident) - before <= 4
    assert len(desk) == 100


def test_what_is_due_before_he_looks_again_wakes_the_one_who_waits() -> None:
    desk: Desk[int] = Desk(operator.add, time.monotonic)
    desk.put_later(50.0, "a", 0, 5)
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(desk.get(40.0)))
    taker.start()
    time.sleep(0.1)
    began = time.monotonic()
    desk.put_later(0.05, "a", 1, 7)
    taker.join(35)
    assert taken == [7]
    assert 0.04 <= time.monotonic() - began < 30


def test_of_work_for_now_and_for_later_put_by_several_nothing_is_forgotten() -> None:
    desk: Desk[int] = Desk(operator.add, time.monotonic)

    def put_all(number: int) -> None:
        for n in range(3000):
            if n % 3:
                desk.put_later(n % 5 / 1000, (number, n % 7), n, 1)
            else:
                desk.put((number, n % 7), n, 1)
            if n % 100 == 0:
                time.sleep(0.001)

    putters = [threading.Thread(target=put_all, args=(number,)) for number in range(3)]
    for putter in putters:
        putter.start()
    for _ in range(9000):
        assert desk.get(20) == 1  # a lost ring would keep it until 20 s are over, or for good
        desk.done()
    for putter in putters:
        putter.join()
    assert desk.get(0.01) is None


def test_what_is_hastened_is_told_in_the_order_in_which_it_was_due() -> None:
    desk: Desk[int] = Desk(operator.add, lambda: 0.0)
    for n in (3, 1, 2):
        desk.put_later(float(n), "a", n, n)
    assert desk.hasten(lambda n: n != 2) == [1, 3]
    assert desk.hasten(lambda n: n > 5) == []
    assert desk.has_later(lambda n: n == 2)


def test_two_touches_merge_in_the_order_of_time() -> None:
    a, b = Name(b"d", b"a"), Name(b"d", b"b")
    early = touch(1, 2, created=True, became=(a,))
    late = touch(3, 4, deleted=True, was=(a, b))
    for both in (merge(early, late), merge(late, early)):
        assert both.created
        assert both.deleted
        assert both.was == (b,)


def test_the_book_gives_an_ended_childs_touches_to_its_parent() -> None:
    book, parent = Book(10**9), Process(2, 1)
    child = Process(3, 1, parent)
    book.touch(child, b"f", 0, 5).wrote = True
    book.inherit(child)
    assert book.of([parent])[b"f"].wrote


def test_the_book_packs_what_is_sound_and_idle_and_loses_nothing_of_it() -> None:
    book, parent = Book(10**12), Process(2, 1)
    child = Process(3, 1, parent)
    name = Name(b"folder", "été.docx".encode())
    for number in range(40):
        touch = book.touch(child, b"%d" % number, number % 3, 5)
        touch.created, touch.became, touch.looked_ns = True, (name,), 7
        touch.judged = Judged.BAD if number == 1 else Judged.CLEAN
        book.touch(child, b"%d" % number, 0, 8)
    before = {file: msgspec.structs.replace(touch) for file, touch in book.of([child]).items()}
    bad, lent = book.find(child, b"1"), book.find(child, b"4")
    book.pack(3_600 * 10**9)
    assert book.find(child, b"4") is lent  # somebody may be adding to it
    book.pack(3_600 * 10**9)
    book.pack(3_600 * 10**9)
    assert book.find(child, b"4") is not lent
    assert book.of([child]) == before
    assert book.find(child, b"1") is bad  # what is not sound is never packed: others may hold it
    again = book.touch(child, b"2", 0, 9)
    again.wrote = True
    assert book.find(child, b"2") is again  # what is added to is whole again
    assert again == msgspec.structs.replace(before[b"2"], last_ns=9, wrote=True)
    book.touch(parent, b"3", 0, 1)
    book.pack(3_600 * 10**9)
    book.inherit(child)
    of_both = book.of([parent])
    assert of_both.keys() == before.keys()
    assert of_both[b"3"].first_ns == 1
    assert of_both[b"3"].became == (name,)


def test_what_a_look_said_is_kept_of_a_packed_touch_too_and_bad_stays_bad() -> None:
    book, process = Book(10**12), Process(2, 1)
    for file in (b"live", b"packed"):
        book.touch(process, file, 0, 5)
    for _ in range(2):
        book.touch(process, b"live", 0, 3_600 * 10**9)
        book.pack(3_600 * 10**9)
    for file in (b"live", b"packed"):
        book.judged(process, file, Judged.BAD, noticed_ns=7, looked_ns=8)
        book.judged(process, file, Judged.CLEAN, noticed_ns=9, looked_ns=10)
        touch = book.of([process])[file]
        assert (touch.judged, touch.bad_ns, touch.looked_ns) == (Judged.BAD, 7, 8)
    book.judged(process, b"unknown", Judged.BAD, noticed_ns=7, looked_ns=8)
    assert b"unknown" not in book.of([process])


# the kernel's bytes


@given(st.binary(max_size=600))
@settings(max_examples=400, deadline=None)
@pytest.mark.parametrize("parse", [fanotify.parse, connector.parse])
def test_no_bytes_make_a_parser_raise_or_hang(parse: object, data: bytes) -> None:
    assert len(list(itertools.islice(parse(data), 1000))) < 1000  # type: ignore[operator]


@given(st.integers(0, 60), st.integers(0, 60), st.binary(max_size=80))
@settings(max_examples=300, deadline=None)
def test_no_lengths_inside_a_record_make_it_raise(length: int, header: int, rest: bytes) -> None:
    data = struct.pack("=IBBHQii", length, 3, 0, header, 2, -1, 7) + rest
    assert len(list(itertools.islice(fanotify.parse(data), 100))) < 100


def test_a_record_of_the_kernel_is_read() -> None:
    handle = b"F" * 8 + struct.pack("=Ii", 4, 1) + b"HAND"
    info = struct.pack("=BBH", 2, 0, 4 + len(handle) + 8) + handle + b"nom.txt\0"
    data = struct.pack("=IBBHQii", 24 + len(info), 3, 0, 24, fanotify.CREATE, -1, 42) + info
    (change,) = fanotify.parse(data)
    assert (change.pid, change.mask, change.name) == (42, fanotify.CREATE, b"nom.txt")
    assert change.directory == b"F" * 8 + struct.pack("=i", 1) + b"HAND"


def test_what_another_kernel_tells_besides_does_not_hide_what_comes_after_it() -> None:
    """A record of a pidfd, one of an error, one of a kind of later: each before the name."""
    handle = b"F" * 8 + struct.pack("=Ii", 4, 1) + b"HAND"
    info = struct.pack("=BBH", 2, 0, 4 + len(handle) + 8) + handle + b"nom.txt\0"
    for kind, size in ((4, 8), (5, 12), (99, 28)):
        foreign = struct.pack("=BBH", kind, 0, size) + bytes(size - 4)
        body = foreign + info
        data = struct.pack("=IBBHQii", 24 + len(body), 3, 0, 24, fanotify.CREATE, -1, 42) + body
        (change,) = fanotify.parse(data)
        assert change.name == b"nom.txt", kind
