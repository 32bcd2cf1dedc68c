"""The key on paper: read back however it is typed, and told which row is wrong."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.recover import paper
from releve.recover.paper import PaperKeyMistypedError

KEYS = st.binary(min_size=paper.SECRET_BYTES, max_size=paper.SECRET_BYTES)


@given(KEYS)
def test_what_is_printed_is_read_back(secret):
    rows = paper.rows_of(secret)
    assert len(rows) == paper.ROWS
    assert all(paper.is_row(number, row) for number, row in enumerate(rows, 1))
    assert paper.secret_of(paper.password_of(rows)) == secret


@given(KEYS)
def test_case_blanks_and_look_alikes_do_not_matter(secret):
    shown = paper.password_of(paper.rows_of(secret))
    sloppy = shown.lower().replace("0", "O").replace("1", "l").replace("-", " \n")
    assert paper.secret_of(sloppy) == secret


@given(KEYS, st.integers(0, 47), st.integers(1, 31))
def test_no_single_misread_sign_passes(secret, at, step):
    signs = paper.password_of(paper.rows_of(secret)).replace("-", "")
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    other = alphabet[(alphabet.index(signs[at]) + step) % 32]
    with pytest.raises(PaperKeyMistypedError) as told:
        paper.secret_of(signs[:at] + other + signs[at + 1 :])
    assert told.value.rows


def test_nearly_always_the_very_row_is_named():
    named = 0
    for _ in range(300):
        rows = list(paper.rows_of(secrets.token_bytes(paper.SECRET_BYTES)))
        sign = "2" if rows[2][3] != "2" else "3"
        rows[2] = rows[2][:3] + sign + rows[2][4:]
        with pytest.raises(PaperKeyMistypedError) as told:
            paper.secret_of(" ".join(rows))
        named += told.value.rows == (3,)
    assert named > 285  # 255 of 256; the last row catches the rest


def test_swapped_rows_are_seen():
    rows = list(paper.rows_of(bytes(range(paper.SECRET_BYTES))))
    rows[0], rows[1] = rows[1], rows[0]
    with pytest.raises(PaperKeyMistypedError) as told:
        paper.secret_of(" ".join(rows))
    assert set(told.value.rows) <= {1, 2}


@pytest.mark.parametrize("typed", ["", "ABCD", "é" * 48, "U" * 48, "0" * 47, "0" * 49])
def test_what_no_sheet_shows_is_refused(typed):
    with pytest.raises(PaperKeyMistypedError):
        paper.secret_of(typed)


def test_the_mark_tells_nothing_that_the_sheet_checks_with():
    secret = bytes(range(paper.SECRET_BYTES))
    assert paper.mark_of(secret) not in paper.password_of(paper.rows_of(secret)).lower()
    assert paper.mark_of(secret) != paper.mark_of(bytes(paper.SECRET_BYTES))
