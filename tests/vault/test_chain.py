"""The chain of receipts: every change is seen, time only grows, a torn end is mended."""

import datetime as dt
import multiprocessing
import time

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from releve.adapters.vault.clock import VaultClock
from releve.adapters.vault.journal import Journal, JournalBrokenError, entries
from releve.flow.vault import chain, heads
from releve.flow.vault.book import Book
from releve.model.vault import Deed, ObjectKind, Receipt, Repository
from releve.recover.received import as_of

HOST = Repository(structure="cabinet", host="srv", generation="2026-11")
OTHER = Repository(structure="cabinet", host="poste", generation="2026-11")


def receipt(number: int, repository: Repository = HOST, **facts) -> Receipt:
    name = f"{number:064x}"
    known = {"kind": ObjectKind.DATA, "size": number, "sha256": name} | facts
    return Receipt(repository=repository, name=name, **known)


def lines_of(count: int, times) -> list[bytes]:
    at, lines = chain.Link(), []
    for number in range(count):
        placed, line = chain.link(at, receipt(number), next(times))
        at = chain.end_of(placed)
        lines.append(line)
    return lines


@given(st.lists(st.integers(min_value=0, max_value=2**62), min_size=1, max_size=30))
def test_times_only_grow_whatever_the_clock_says(clock):
    read = chain.read(lines_of(len(clock), iter(clock)))
    times = [entry.received_ns for entry in read]
    assert times == sorted(set(times))
    assert all(time >= said for time, said in zip(times, clock, strict=True))


@given(st.data())
def test_any_change_of_one_byte_removal_or_swap_is_seen(data):
    lines = lines_of(6, iter(range(6)))
    assert chain.first_break(lines) == (chain.end_of(chain.read(lines)[-1]), "")
    at = data.draw(st.integers(0, 5))
    what = data.draw(st.sampled_from(["byte", "remove", "swap", "double"]))
    if what == "byte":
        place = data.draw(st.integers(0, len(lines[at]) - 2))
        body = bytearray(lines[at])
        body[place] ^= 1 << data.draw(st.integers(0, 6))
        lines[at] = bytes(body)
    elif what == "remove":
        del lines[at]
        if at == 5:  # the end cut off is what the heads elsewhere are for
            assert chain.first_break(lines)[1] == ""
            return
    elif what == "swap":
        lines[at], lines[at - 1] = lines[at - 1], lines[at]
    else:
        lines.insert(at, lines[at])
    assert chain.first_break(lines)[1]


def test_a_cut_or_rewritten_chain_does_not_contain_the_heads_kept_elsewhere():
    key = Ed25519PrivateKey.generate()
    lines = lines_of(5, iter(range(5)))
    read = chain.read(lines)
    signed = heads.sign(key, chain.end_of(read[3]), 10, 11)
    head = heads.open_head(key.public_key().public_bytes_raw(), signed)
    assert head is not None
    assert heads.why_not_on(read, [head]) == ""
    assert "not there" in heads.why_not_on(read[:3], [head])
    other = chain.read(lines_of(5, iter([9] * 5)))
    assert "another" in heads.why_not_on(other, [head])
    forged = msgspec.structs.replace(signed, head=signed.head.replace(b'"seq":4', b'"seq":3'))
    assert heads.open_head(key.public_key().public_bytes_raw(), forged) is None


def test_a_torn_last_line_is_mended_and_a_changed_line_is_refused(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, time.time_ns)
    journal.append([receipt(1), receipt(2)])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    again = Journal(path, time.time_ns)
    again.append([receipt(3)])
    assert [entry.name[-1] for entry in entries(path)] == ["1", "2", "3"]
    path.write_bytes(path.read_bytes().replace(b'"size":2', b'"size":9'))
    with pytest.raises(JournalBrokenError):
        Journal(path, time.time_ns).catch_up()


def test_a_journal_that_became_shorter_is_refused(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, time.time_ns)
    journal.append([receipt(1), receipt(2)])
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(JournalBrokenError):
        journal.append([receipt(3)])


def _write(path, first):
    journal = Journal(path, time.time_ns)
    for number in range(first, first + 40):
        journal.append([receipt(number)])


def test_processes_that_write_at_once_make_one_chain(tmp_path):
    path = tmp_path / "journal.jsonl"
    made = [multiprocessing.Process(target=_write, args=(path, 100 * n)) for n in range(3)]
    for process in made:
        process.start()
    for process in made:
        process.join()
        assert process.exitcode == 0
    assert len(list(entries(path))) == 120
    assert chain.first_break(path.read_bytes().splitlines(keepends=True))[1] == ""


def test_steps_of_the_wall_clock_move_neither_receipts_nor_a_gate_that_starts_again(tmp_path):
    wall = [1_700_000_000_000_000_000]
    anchor = tmp_path / "clock.json"
    clock = VaultClock(anchor, lambda: wall[0])
    began = clock.now_ns()
    year = int(dt.timedelta(days=365).total_seconds() * 1e9)
    journal = Journal(tmp_path / "journal.jsonl", clock.now_ns)
    for step in (0, 10 * year, -20 * year, 0):
        wall[0] = 1_700_000_000_000_000_000 + step
        journal.append([receipt(step % 1000)])
        assert abs(VaultClock(anchor, lambda: wall[0]).now_ns() - began) < 10**10
        assert abs(clock.ahead_ns() - step) < 10**10
    times = [entry.received_ns for entry in entries(tmp_path / "journal.jsonl")]
    assert times == sorted(times)
    assert times[-1] - times[0] < 10**10
    clock.set(wall[0] + year)
    assert VaultClock(anchor, lambda: wall[0]).now_ns() > began + year - 10**10


def test_the_view_takes_what_was_received_by_then_of_that_repository_only():
    at, placed = chain.Link(), []
    for number, place in enumerate([HOST, OTHER, HOST, HOST]):
        entry, _ = chain.link(at, receipt(number, place), 10 * (number + 1))
        at = chain.end_of(entry)
        placed.append(entry)
    chosen = as_of(placed, HOST, 30)
    assert [r.seq for r in chosen.receipts] == [1, 3]
    assert (chosen.left_out, chosen.bytes, chosen.last_seq) == (1, 2, 3)
    assert as_of(placed, HOST, 99, last_seq=1).left_out == 2


def test_the_book_counts_each_object_once_and_forgets_a_dropped_generation():
    book = Book()
    at = chain.Link()
    drop = Deed(
        what="vault:generation:dropped", structure="cabinet", host="srv", generation="2026-11"
    )
    for entry in (receipt(5), receipt(5), receipt(7), receipt(9, OTHER)):
        placed, _ = chain.link(at, entry, 1)
        at = chain.end_of(placed)
        book.apply([placed])
    assert book.host_bytes("cabinet", "srv") == 12
    book.apply([chain.link(at, drop, 1)[0]])
    assert book.host_bytes("cabinet", "srv") == 0
    assert book.host_bytes("cabinet", "poste") == 9
    assert [g.dropped_ns > 0 for g in book.generations()] == [True, False]
