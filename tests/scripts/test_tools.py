import bz2
import hashlib
import importlib.util
import io
import tarfile
from pathlib import Path

import pytest

from releve.adapters.restic import tools

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("tools_script", REPOSITORY / "scripts/tools.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'restic {version} compiled with go'\n")
    path.chmod(0o755)
    return path


def test_an_old_version_is_refused_with_the_remedy(tmp_path, monkeypatch):
    program(tmp_path / "bin/restic", "0.14.0")
    monkeypatch.setenv("RELEVE_TOOLS", str(tmp_path))
    with pytest.raises(tools.ToolTooOldError, match=r"version 0\.14\.0; 0\.17 or newer") as caught:
        tools.find(tools.RESTIC)
    assert "make setup" in caught.value.remedy


def test_the_named_folder_comes_before_the_checkout(tmp_path, monkeypatch):
    wanted = program(tmp_path / "bin/restic", "0.18.9")
    monkeypatch.setenv("RELEVE_TOOLS", str(tmp_path))
    assert tools.find(tools.RESTIC) == tools.Tool(name="restic", path=str(wanted), version="0.18.9")


def test_debians_name_of_rest_server_is_known(tmp_path, monkeypatch):
    program(tmp_path / "restic-rest-server", "0.13.0")
    monkeypatch.setenv("RELEVE_TOOLS", str(tmp_path))
    assert tools.find(tools.REST_SERVER).version == "0.13.0"


def test_a_program_that_does_not_run_is_called_broken(tmp_path):
    broken = tmp_path / "restic"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    with pytest.raises(tools.ToolBrokenError):
        tools.inspect(tools.RESTIC, broken)


def test_nothing_anywhere_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVE_TOOLS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "tools_folder", lambda: tmp_path / "none")
    with pytest.raises(tools.ToolMissingError):
        tools.find(tools.RESTIC)


def test_a_download_with_another_hash_is_refused_before_it_is_unpacked(script, tmp_path):
    with pytest.raises(tools.WrongHashError) as caught:
        script.open_release("restic", "https://x/restic.bz2", b"not even bzip2", "0" * 64, tmp_path)
    assert caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_a_release_with_the_pinned_hash_is_unpacked(script, tmp_path):
    packed = bz2.compress(b"program")
    pinned = hashlib.sha256(packed).hexdigest()
    found = script.open_release("restic", "https://x/restic.bz2", packed, pinned, tmp_path)
    assert found.read_bytes() == b"program"


def test_a_tar_release_gives_its_program_only(script, tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in (("x/README", b"no"), ("../rest-server", b"program")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    packed = buffer.getvalue()
    pinned = hashlib.sha256(packed).hexdigest()
    found = script.open_release("rest-server", "https://x/y.tar.gz", packed, pinned, tmp_path)
    assert found == tmp_path / "rest-server"
    assert found.read_bytes() == b"program"


def test_an_old_program_is_never_put_in_place(script, tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "tools_folder", lambda: tmp_path / "tools")
    with pytest.raises(tools.ToolTooOldError):
        script.install(tools.RESTIC, program(tmp_path / "old", "0.16.5"))
    assert not (tmp_path / "tools").exists()


@pytest.mark.parametrize("kind", tools.KINDS, ids=lambda kind: kind.name)
def test_every_pinned_release_is_complete_and_covers_this_kind(script, kind):
    url, pinned = script.PINNED[kind.name, "x86_64"]
    assert url.startswith("https://github.com/restic/")
    assert len(bytes.fromhex(pinned)) == 32
    assert kind.name in script.DEBIAN_PACKAGES


@pytest.mark.restic
@pytest.mark.parametrize("kind", tools.KINDS, ids=lambda kind: kind.name)
def test_setup_left_a_recent_one(kind):
    assert tools.find(kind).version
