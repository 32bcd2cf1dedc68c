"""The scrub finds every flipped bit, names it, and goes on where it was ended."""

import json
import os
import random
import time
from pathlib import Path

import pytest

from releve.adapters.vault import scrub as scrubbing
from releve.adapters.vault.scrub import Scrub
from tests.vault.conftest import address, releve

pytestmark = [pytest.mark.restic, pytest.mark.timeout(120)]


@pytest.fixture
def filled(own_gate):
    """A vault with 150 objects, its gate ended."""
    own_gate.start()
    client = own_gate.client(own_gate.credential("srv"))
    client.ask("POST", address("srv") + "?create=true", b"")
    for number in range(150):
        assert client.put("data", os.urandom(2000 + number), repository=address("srv")) == 200
    own_gate.stop()
    return own_gate


def scrub(gate, *words):
    done = releve("vault", "scrub", "--json", "--data", str(gate.data), *words, check=False)
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    return done.returncode, [r for r in rows if r["event"] == "bad"], rows[-1]


def flip(path: Path, dice: random.Random) -> None:
    body = bytearray(path.read_bytes())
    body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
    path.write_bytes(body)


def test_bit_flips_in_a_hundred_random_objects_are_all_found_and_named(filled):
    assert scrub(filled)[0] == 0
    dice = random.Random(7)
    objects = sorted((filled.data / "repos").glob("*/*/*/data/*/*"))
    hurt = dice.sample(objects, 100)
    for path in hurt[:97]:
        flip(path, dice)
    hurt[97].unlink()
    hurt[98].write_bytes(hurt[98].read_bytes()[:-1])
    hurt[99].write_bytes(b"")
    status, bad, told = scrub(filled)
    assert status == 120
    assert {row["name"] for row in bad} == {path.name for path in hurt}
    assert {row["why"] for row in bad} == {"content", "missing", "size"}
    assert told["objects"] == 150
    assert "object_bad" in {notice["notice"] for notice in filled.notices()}


def test_an_ended_scrub_goes_on_where_it_was(filled):
    vault = filled.vault()
    begun = Scrub(started_ns=1, until_seq=vault.book.seq)

    def once(at, seconds):
        return scrubbing.run(
            vault.layout, vault.entries(), vault.book, at, now_ns=time.time_ns, seconds=seconds
        )

    part = once(begun, 1e-9)
    assert part.objects == 1
    assert not part.ended_ns
    status, bad, told = scrub(filled)
    assert (status, bad, told["objects"]) == (0, [], 150)
    assert told["started_ns"] == 1
    assert told["mb_per_s"] > 0
