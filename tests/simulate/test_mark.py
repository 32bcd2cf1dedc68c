"""Attacks touch nothing but a share that the simulation made."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from releve.apps.simulate.attacks import PROFILES
from releve.apps.simulate.field import Field
from releve.apps.simulate.holder import Order
from releve.apps.simulate.mark import MARK, UnmarkedError, require_mark, write_mark


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "lettre.txt").write_text("Cher confrère,\n" * 100, encoding="utf-8")
    return folder


@pytest.mark.parametrize("profile", PROFILES, ids=lambda row: row.name)
def test_no_attack_gets_a_folder_without_the_mark(profile, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnmarkedError):
        profile.act(Field(folder, tmp_path))
    assert (folder / "lettre.txt").read_text(encoding="utf-8").startswith("Cher")


def test_a_mark_by_link_is_no_mark(folder: Path, tmp_path: Path) -> None:
    write_mark(tmp_path, "sim-1")
    (folder / MARK).symlink_to(tmp_path / MARK)
    with pytest.raises(UnmarkedError):
        require_mark(folder)


def test_a_mark_without_a_run_is_no_mark(folder: Path) -> None:
    (folder / MARK).write_text("moi\n", encoding="ascii")
    with pytest.raises(UnmarkedError):
        require_mark(folder)


@pytest.mark.need("namespaces")
def test_the_process_that_starts_attacks_refuses_too(folder: Path, tmp_path: Path) -> None:
    order = Order(kind="attack", name="wipe-unlink", share=str(folder), work=str(tmp_path))
    shut_in = ["unshare", "-pfm", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*shut_in, sys.executable, "-m", "releve.apps.simulate.holder"],
        input=msgspec.json.encode(order) + b"\n",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert b"carries no mark" in done.stderr
    assert (folder / "lettre.txt").exists()
