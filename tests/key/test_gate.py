"""Keys at the vault's gate: generations are the gate's, credentials only add, paper still opens."""

import datetime as dt
import re
import sqlite3
from pathlib import Path

import pytest

from releve.adapters.keys.shares import split
from releve.apps.backup.state import Config, State, SystemClock
from releve.apps.key import wiring
from releve.flow.keys import prove
from releve.model.sources import SqliteSource
from releve.recover import paper
from tests.vault.conftest import Gate

pytestmark = pytest.mark.restic


@pytest.fixture
def gate(need, tmp_path):
    need("restic")
    found = Gate(tmp_path / "vault")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def machine(gate, tmp_path):
    """A host that backs up through the gate, in this month's generation."""
    share = tmp_path / "share"
    share.mkdir()
    with sqlite3.connect(share / "patients.db") as database:
        database.execute("CREATE TABLE p (id INTEGER)")
        database.execute("INSERT INTO p VALUES (1)")
    database.close()
    name, secret = gate.credential("srv")
    state = State(str(tmp_path / "state"))
    month = dt.datetime.now(dt.UTC).strftime("%Y-%m")
    source = SqliteSource(name="patients", path=str(share / "patients.db"))
    config = Config(
        url=f"{gate.url.rstrip('/')}/cabinet/srv/{month}/", user=name, folders=(str(share),),
        sources=(source,),
    )  # fmt: skip
    state.configure(config, secret)
    assert state.engine().init()
    return state


def back_up(state: State):
    config = state.config()
    return state.run().run(config.folders, config.exclude, lambda _: None)


def test_paper_shares_and_a_new_generation_work_with_a_credential_that_only_adds(machine, gate):
    first = back_up(machine)
    place = wiring.place_of(machine.config())
    assert (place.structure, place.host) == ("cabinet", "srv")
    assert re.fullmatch(r"\d{4}-\d{2}", place.generation)
    keys, books = wiring.keys_of(machine), wiring.books_of(machine)
    (sheet,) = keys.sheets()
    shares = keys.sheets(split=split)
    assert [len(one.words) for one in shares] == [23, 23, 23]
    secret = paper.secret_of(" ".join(sheet.rows))
    with wiring.ring_by(paper.password_of(sheet.rows), machine.repository()) as ring:
        proof = prove(ring, books, SystemClock(), place, secret, "typed")
    assert proof.snapshots == 1
    new = wiring.rotate(machine, "fuite")
    assert new.generation == f"{place.generation}-2"
    assert new.url == f"{gate.url.rstrip('/')}/cabinet/srv/{new.generation}/"
    second = back_up(machine)
    assert [one.id for one in machine.engine().snapshots()] == [second.snapshot]
    assert first.snapshot != second.snapshot
    assert {Path(one).name for one in (gate.data / "repos/cabinet/srv").iterdir()} == {
        place.generation,
        new.generation,
    }
