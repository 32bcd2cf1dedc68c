"""Root writes below its store by path: nobody else may be able to put another folder there."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from releve.adapters.private import StoreNotPrivateError, is_ours, private_store
from releve.apps.guard import wiring

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has more rights to lose")


@pytest.mark.parametrize("mode", [0o777, 0o2775])
def test_a_store_in_a_folder_that_users_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(StoreNotPrivateError):
        private_store(str(tmp_path / "store"))


def test_a_store_that_a_user_made_beforehand_is_refused(tmp_path: Path) -> None:
    waiting = tmp_path / "store"
    waiting.mkdir()
    os.chown(waiting, 65534, 65534)
    with pytest.raises(StoreNotPrivateError):
        private_store(str(waiting))


@pytest.mark.parametrize(("owner", "mode"), [(61235, 0o755), (61234, 0o777)])
def test_a_user_takes_no_store_that_another_made_or_may_write_to(owner: int, mode: int) -> None:
    """Portable mode: the name of the store beside a folder is foreseeable."""
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o777)
        waiting = Path(above, "store")
        waiting.mkdir()
        waiting.chmod(mode)
        os.chown(waiting, owner, owner)
        child = os.fork()
        if child == 0:
            os.setresgid(61234, 61234, 61234)
            os.setresuid(61234, 61234, 61234)
            with contextlib.suppress(StoreNotPrivateError):
                private_store(str(waiting))
                os._exit(1)
            own = Path(above, "own")
            own.mkdir()
            own.chmod(0o775)  # as the usual umask of a desktop leaves it
            private_store(str(own))
            os._exit(0 if own.stat().st_mode & 0o777 == 0o755 else 2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_store_of_root_is_taken_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert private_store(str(tmp_path / "link" / "store")) == str(tmp_path / "store")
    assert is_ours(tmp_path / "store")


def test_the_default_store_of_a_disk_that_users_write_to_is_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = "/dev/shm"  # a file system of its own
    monkeypatch.setattr(wiring, "is_ours", lambda _path: False)
    assert wiring.default_store(folder).startswith("/var/lib/releve/store-")
    monkeypatch.setattr(wiring, "is_ours", lambda _path: True)
    assert wiring.default_store(folder).startswith("/dev/shm/.releve-")
