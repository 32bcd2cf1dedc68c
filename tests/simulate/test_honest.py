"""Every honest workload does its work to the end, as the user who does it in a practice."""

import pytest

from releve.apps.simulate import honest_run
from releve.apps.simulate.arena import Arena
from releve.apps.simulate.honest import WORKLOADS
from releve.apps.simulate.mark import write_mark

pytestmark = pytest.mark.need("loop", "namespaces", "btrfs")

# The same program calls as in bulk-gpg, ten seconds each: shown once.
SLOW = {"gpg-keep", "tar-gpg", "open-sealed"}


@pytest.fixture(scope="module", name="arena")
def _arena(ground, book, tmp_path_factory):
    ground("btrfs", files=300)  # first: a mount namespace does not see what is mounted later
    made = Arena(book, tmp_path_factory.mktemp("arena") / "err")
    yield made
    made.close()


@pytest.fixture(scope="module", name="area")
def _area(ground):
    chosen = ground("btrfs", files=300)
    (chosen.work / "honest").mkdir(exist_ok=True)
    folder = chosen.place.root / "honnete"
    folder.mkdir()
    write_mark(folder, chosen.ledger.run)
    return folder


@pytest.mark.parametrize(
    "workload", [row for row in WORKLOADS if row.name not in SLOW], ids=lambda row: row.name
)
def test_the_work_is_done(workload, ground, arena, area, need) -> None:
    chosen = ground("btrfs", files=300)
    need(*workload.needs)
    why = honest_run.prepare_area(workload, area / workload.name, chosen.master(300), chosen)
    assert why == ""
    seconds, status = honest_run.timed(chosen, arena, workload, area)
    assert status == 0
    assert seconds > 0
