from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from tests.server.world import Postgres, Running, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres) -> Iterator[SqlStore]:
    """The same tests on both databases."""
    url = sqlite_url(tmp_path) if request.param == "sqlite" else postgres.new_url()
    engine = open_engine(url)
    yield SqlStore(engine, Seal(b"k" * 32))
    engine.dispose()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "server") as server:
        yield server
