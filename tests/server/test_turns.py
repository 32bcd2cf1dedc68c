"""Who writes to SQLite next: SQLite itself lets the quickest starve the others until they give up."""

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.turns import Turns
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server.enrol import ensure_structure
from releve.model.structure import Profile, StructureKind
from tests.server.world import T0


def test_turns_go_round_in_order_and_who_gives_up_leaves_the_row() -> None:
    turns, order = Turns(), list[int]()
    assert turns.take()

    def wait(number: int, seconds: float) -> None:
        if turns.take(seconds):
            order.append(number)
            turns.give()

    threads = []
    for number, seconds in ((0, 20), (1, 20), (2, 0.05), (3, 20), (4, 20)):
        waiting = len(turns._waiting)
        threads.append(threading.Thread(target=wait, args=(number, seconds)))
        threads[-1].start()
        if seconds < 1:
            threads[-1].join(20)
            assert len(turns._waiting) == waiting
        until = time.monotonic() + 20
        while seconds > 1 and len(turns._waiting) == waiting and time.monotonic() < until:
            time.sleep(0.001)
    turns.give()
    for thread in threads:
        thread.join(20)
    assert order == [0, 1, 3, 4]
    assert turns.take(0)


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    made = open_engine(sqlite_url(tmp_path))
    with made.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE seen (who INTEGER)")
    return made


def test_one_who_writes_without_end_keeps_nobody_waiting(tmp_path: Path, engine: sa.Engine) -> None:
    over = threading.Event()
    # Another engine on the same file, as another part of the process may have it.
    others = [engine, open_engine(sqlite_url(tmp_path))]

    def write(of: sa.Engine, seconds: float) -> None:
        with of.execution_options(writes=True).begin() as connection:
            connection.exec_driver_sql("INSERT INTO seen VALUES (1)")
            time.sleep(seconds)

    def without_end() -> None:
        while not over.is_set():
            write(engine, 0.1)

    greedy = threading.Thread(target=without_end)
    greedy.start()
    try:
        longest = 0.0
        for number in range(6):
            time.sleep(0.02)
            began = time.monotonic()
            write(others[number % 2], 0)
            longest = max(longest, time.monotonic() - began)
    finally:
        over.set()
        greedy.join(20)
    assert longest < 2


def test_a_writing_that_fails_gives_its_turn_back(engine: sa.Engine) -> None:
    writing = engine.execution_options(writes=True)
    for _ in range(2):
        with pytest.raises(sa.exc.OperationalError), writing.begin() as connection:
            connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")
        with pytest.raises(ZeroDivisionError), writing.begin() as connection:  # noqa: PT012
            connection.exec_driver_sql("INSERT INTO seen VALUES (1)")
            raise ZeroDivisionError
        with writing.connect() as connection:
            connection.begin()
            connection.invalidate()
    began = time.monotonic()
    with writing.begin() as connection:
        connection.exec_driver_sql("INSERT INTO seen VALUES (1)")
    assert time.monotonic() - began < 5
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM seen").scalar_one() == 1


def test_who_said_to_write_nothing_is_refused_and_the_next_on_that_connection_writes(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "server")
    home.make()
    store = make_store(home)
    structure = ensure_structure(store, "A", "s1", T0).id
    profile = Profile(kind=StructureKind.PRACTICE, legal_name="A")

    def write_in_a_reading() -> None:
        with store.unit(structure, writes=False) as unit:
            unit.put_profile(profile)

    def known() -> Profile | None:
        with store.unit(structure, writes=False) as unit:
            return unit.profile()

    for before in (None, profile):
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            write_in_a_reading()
        assert known() == before
        with store.unit(structure) as unit:
            unit.put_profile(profile)
    assert known() == profile
    store.close()
