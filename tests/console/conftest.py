from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.world import Running, running


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "server") as server:
        yield server
