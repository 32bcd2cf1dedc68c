from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server.world import Running, running


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "server") as server:
        yield server


@pytest.fixture
def browser(served: Running) -> httpx.Client:
    return httpx.Client(
        base_url=served.url,
        trust_env=False,
        timeout=60,
        follow_redirects=True,
        headers={"accept-language": "fr"},
    )
