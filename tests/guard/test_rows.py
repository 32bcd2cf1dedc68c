"""Numbers of files, without an object for each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.flow.guard.rows import Rows

MOST = 40


class Awkward(bytes):
    """Many of them want the same slot."""

    def __hash__(self) -> int:
        return len(self) - 5


FILES = st.integers(0, 60).map(lambda n: (b"%d" % n) * (n % 4 + 1))
STEPS = st.lists(st.tuples(st.booleans(), FILES), max_size=300)


@given(STEPS, st.sampled_from([bytes, Awkward]))
def test_every_file_has_its_own_row_until_it_is_removed(
    steps: list[tuple[bool, bytes]], kind: type[bytes]
) -> None:
    rows, known = Rows(MOST), dict[bytes, int]()
    for adds, plain in steps:
        file = kind(plain)
        assert rows.get(file) == known.get(file, -1)
        if not adds and file in known:
            rows.remove(known.pop(file))
        elif adds and file not in known and len(known) < MOST:
            known[file] = rows.add(file)
        assert len(rows) == len(known)
    assert {file: rows.get(file) for file in known} == known
    assert sorted(rows) == sorted(known.values())
    assert len(set(known.values())) == len(known)
    assert max(known.values(), default=0) < MOST


def test_a_full_table_says_so_and_a_row_is_given_again() -> None:
    rows = Rows(2)
    first, second = rows.add(b"one"), rows.add(b"two")
    with pytest.raises(OverflowError):
        rows.add(b"three")
    rows.remove(first)
    assert rows.get(b"one") == -1
    assert rows.add(b"three") == first
    assert rows.get(b"two") == second


def test_files_with_longer_handles_than_before_keep_their_rows() -> None:
    rows = Rows(100)
    files = [b"%d" % number * (1 + number) for number in range(100)]
    numbers = [rows.add(file) for file in files]
    assert [rows.get(file) for file in files] == numbers
    assert rows.get(files[99][:-1]) == -1
    assert rows.get(files[0] + b"\0") == -1
