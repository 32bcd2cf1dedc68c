"""Who wrote, made and saved each file last."""

from hypothesis import given
from hypothesis import strategies as st

from releve.flow.guard.authors import Authors
from releve.model.process import Process

PEOPLE = [Process(pid, 1) for pid in range(2, 6)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("wrote", "saved", "made")),
        st.sampled_from(PEOPLE),
        st.integers(0, 5).map(lambda number: b"file %d" % number),
    ),
    max_size=60,
)


@given(STEPS)
def test_it_answers_as_a_list_of_all_that_happened_would(
    steps: list[tuple[str, Process, bytes]],
) -> None:
    authors = Authors()
    for now, (what, process, file) in enumerate(steps, start=1):
        getattr(authors, what)(process, file, now)
    for file in {file for _, _, file in steps}:
        told = [(what, p, now) for now, (what, p, f) in enumerate(steps, 1) if f == file]
        last = {what: (p, now) for what, p, now in told}
        writer, at = last.get("wrote", (None, 0))
        assert (authors.writer(file), authors.wrote_ns(file)) == (writer, at)
        assert authors.maker(file) == last.get("made")
        saves: list[tuple[Process, int]] = []
        for process, now in [(p, now) for what, p, now in told if what == "saved"]:
            if saves and saves[-1][0] is process:
                saves.pop()
            saves.append((process, now))
        assert authors.saves(file) == tuple(saves[-4:])


def test_when_it_is_full_the_oldest_go_and_their_rows_tell_nothing_of_them() -> None:
    authors, maker, writer = Authors(), *PEOPLE[:2]
    files = [b"%d" % number for number in range(50_000)]
    for now, file in enumerate(files, start=1):
        authors.made(maker, file, now)
        authors.saved(maker, file, now)
        authors.saved(writer, file, now)
    authors.wrote(writer, files[0], 60_000)  # heard of again: it is not the oldest any more
    for number in range(100):
        authors.wrote(writer, b"new %d" % number, 70_000)

    assert authors.wrote_ns(files[0]) == 60_000
    assert authors.maker(files[1]) is None
    assert authors.saves(files[6_000]) == ()
    assert authors.maker(files[-1]) == (maker, 50_000)
    assert [authors.maker(b"new %d" % number) for number in range(100)] == [None] * 100
    assert [authors.saves(b"new %d" % number) for number in range(100)] == [()] * 100
