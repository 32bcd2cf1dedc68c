import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.sql.engine import engine_to_read, open_engine, sqlite_path, sqlite_url
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from tests.server.world import Postgres, Running, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres(is_durable=False)
    yield server
    server.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new server's SQLite database, to be copied: making its tables takes longer."""
    home = tmp_path_factory.mktemp("made")
    open_engine(sqlite_url(home)).dispose()
    return sqlite_path(home)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres, made: Path
) -> Iterator[SqlStore]:
    """The same tests on both databases."""
    if request.param == "sqlite":
        url = sqlite_url(tmp_path)
        shutil.copyfile(made, sqlite_path(tmp_path))
    else:
        url = postgres.made_url()
    engine = engine_to_read(url)
    yield SqlStore(engine, Seal(b"k" * 32))
    engine.dispose()
    if request.param == "postgres":
        postgres.drop(url)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "server") as server:
        yield server
