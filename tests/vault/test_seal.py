"""Old generations closed on the disk: root's plain rm is refused, views go on, two people open them."""

import json
import subprocess

import pytest

from releve.adapters.vault import seal as sealing
from releve.adapters.vault import view as viewing
from releve.adapters.vault.seal import State
from releve.adapters.vault.trash import Trash
from releve.apps.vault.look import make_view
from releve.apps.vault.opened import Vault
from releve.apps.vault.sealing import SEALED, Sealing
from releve.model.vault import Repository
from tests.vault.test_retention import World

pytestmark = pytest.mark.need("root")
OLD = Repository(structure="cabinet", host="srv", generation="2023-11")
NEW = Repository(structure="cabinet", host="srv", generation="2023-12")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "vault")
    made.old = made.put(OLD)
    made.times.at += 40 * 86_400 * 10**9
    made.put(NEW)
    yield made
    for path in (tmp_path / "vault/repos").rglob("*"):
        if path.is_dir():
            sealing.unseal(path)


@pytest.fixture
def vault(world):
    return Vault(world.layout.data)


def sealed(vault) -> None:
    [one] = Sealing(vault).run()
    if one.state == State.IMPOSSIBLE:
        pytest.skip("this file system has no such marks")
    assert (one.repository, one.fresh) == (str(OLD), True)


def test_roots_plain_rm_is_refused_and_the_newest_stays_open(world, vault):
    sealed(vault)
    folder = world.layout.repository(OLD)
    before = {path: path.read_bytes() for path in world.old}
    assert subprocess.run(["rm", "-rf", folder], capture_output=True, check=False).returncode
    assert subprocess.run(
        ["mv", folder, f"{folder}-gone"], capture_output=True, check=False
    ).returncode
    with pytest.raises(PermissionError):
        (folder / "config").unlink()
    with pytest.raises(PermissionError):
        (folder / "data" / "x").touch()
    assert {path: path.read_bytes() for path in world.old} == before
    assert sealing.state(world.layout.repository(NEW)) is State.OPEN
    assert [d.what for d in vault.book.deeds].count(SEALED) == 1
    [again] = Sealing(vault).run()
    assert (again.state, again.fresh, again.broken) == (State.SEALED, False, False)


def test_a_sealed_generation_is_still_shown_and_leaves_only_as_two_people_decided(world, vault):
    sealed(vault)
    made = make_view(
        vault, structure="cabinet", host="srv", generation="2023-11",
        at_ns=vault.clock.now_ns(), verify=True,
    )  # fmt: skip
    assert made.objects == len(world.old)
    viewing.remove(vault.layout, made.id)
    Trash(vault.layout, vault.add).remove(OLD, "r-1")
    assert not world.layout.repository(OLD).exists()
    assert not list((world.layout.repos / ".trash").iterdir())


def test_the_start_of_the_gate_clears_a_torn_upload_out_of_a_sealed_folder(world, vault):
    folder = world.layout.repository(OLD) / "index"
    (folder / f"{'a' * 64}.rest-server-temp-1").write_bytes(b"half")
    sealed(vault)
    found = vault.heal()
    assert (found.torn, found.strange, found.missing) == (1, (), ())
    assert sealing.state(world.layout.repository(OLD)) is State.SEALED


def test_a_seal_that_somebody_broke_is_told_and_closed_again(world, vault):
    sealed(vault)
    sealing.unseal(world.layout.repository(OLD))
    [found] = Sealing(vault).run()
    assert (found.broken, found.state) == (True, State.SEALED)
    told = [json.loads(row)["notice"] for row in vault.layout.notices.read_text().splitlines()]
    assert told == ["seal_broken"]


def test_what_a_kill_left_of_views_goes_at_the_start_and_nothing_else(world, vault):
    whole = make_view(
        vault, structure="cabinet", host="srv", at_ns=vault.clock.now_ns(), verify=False
    )
    views = vault.layout.views
    for name in (".v-abc.new", "v-def"):  # being linked; linked, and nobody told of it
        (views / name / "data").mkdir(parents=True)
    (views / "notes").mkdir()
    assert viewing.clean_halves(vault.layout) == [".v-abc.new", "v-def"]
    assert sorted(path.name for path in views.iterdir()) == ["notes", whole.id, f"{whole.id}.json"]
    assert viewing.clean_halves(vault.layout) == []
