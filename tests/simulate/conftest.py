import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.apps.simulate import ledger, places
from releve.apps.simulate.attack_run import Ground
from releve.apps.simulate.ledger import Ledger


@pytest.fixture(scope="module")
def book() -> Iterator[Ledger]:
    """The ledger of a run of its own; everything is undone at the end."""
    made = Ledger(f"sim-test-{secrets.token_hex(3)}")
    yield made
    assert made.clear() == []


@pytest.fixture(scope="module")
def ground(book: Ledger) -> Callable[..., Ground]:
    """Makes the ground of one file system; each image is mounted once."""
    made: dict[str, Ground] = {}

    def make(fs: str, *, files: int = 60, guarded: bool = False) -> Ground:
        if fs not in made:
            place = places.mount_image(book, fs)
            assert isinstance(place, places.Place), place
            work = ledger.room() / f"{book.run}-travail-{fs}"
            book.note("folder", str(work))
            work.mkdir(parents=True)
            made[fs] = Ground(
                ledger=book,
                place=place,
                work=work,
                portable=False,
                as_users=os.geteuid() == 0,
                files=files,
                guarded=guarded,
                masters={},
            )
        return made[fs]

    return make


@pytest.fixture
def share(tmp_path: Path) -> Path:
    return tmp_path / "partage"
