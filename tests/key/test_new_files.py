"""Files with secrets, made in a folder to which somebody else may write."""

import datetime as dt
import os

import pytest

from releve.adapters import server_archive
from releve.adapters.durable import write, write_new
from releve.adapters.keys.escrow import EscrowKeyError, make_pair

_NOBODY = 65534


def archive(target):
    key = target.parent / "server.key"
    key.write_bytes(b"secret")
    files = {"server.key": key}
    server_archive.pack(files, target, version="1", at=dt.datetime.now(dt.UTC), rows={})


@pytest.mark.parametrize(
    ("writing", "names"),
    [
        (lambda target: write(target, b"secret"), lambda t: f".{t.name}.{os.getpid()}.new"),
        (archive, lambda t: f".{t.name}.{os.getpid()}.new"),
        (archive, lambda t: f".{t.name}.new"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_somebody_put_in_the_way_gets_nothing(tmp_path, writing, names, kind):
    target, other = tmp_path / "state.tar.gz", tmp_path / "other"
    other.write_text("untouched")
    planted = tmp_path / names(target)
    if kind == "link":
        planted.symlink_to(other)
    else:
        planted.touch(mode=0o666)
        os.chown(planted, _NOBODY, _NOBODY)
    with planted.open("rb") as spied:
        writing(target)
        assert other.read_text() == "untouched"
        assert spied.read() in (b"", b"untouched")
    assert (target.lstat().st_uid, target.lstat().st_mode) == (0, 0o100600)


def test_a_new_secret_is_not_written_through_a_link(tmp_path):
    (tmp_path / "room.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "room.key", b"secret")
    with pytest.raises(EscrowKeyError):
        make_pair(tmp_path / "room.key")
    assert not (tmp_path / "elsewhere").exists()
    make_pair(tmp_path / "other.key")
    assert (tmp_path / "other.key").stat().st_mode == 0o100600
