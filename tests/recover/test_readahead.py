"""A big file is read side by side while the kernel copies it up."""

import os
import time

import pytest

from releve.adapters.linux import mounts
from releve.adapters.linux.overlay import Overlay
from releve.adapters.linux.readahead import ReadAhead

MB = 1 << 20


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "base.db"
    path.write_bytes(os.urandom(40 * MB))
    return path


def test_it_reads_the_whole_file_and_never_more_than_it_may_ahead_of_the_copy(big):
    with ReadAhead(str(big)) as ahead:
        until = time.monotonic() + 10
        while ahead.bytes_read < 40 * MB:
            assert time.monotonic() < until
            time.sleep(0.001)
    with ReadAhead(str(big), most_ahead=10 * MB) as ahead:  # and nothing is copied
        until = time.monotonic() + 10
        while ahead.bytes_read < 10 * MB:
            assert time.monotonic() < until
            time.sleep(0.001)
        time.sleep(0.1)
        assert ahead.bytes_read <= 11 * MB


def test_what_cannot_be_read_is_left_to_the_copy(tmp_path, big):
    (tmp_path / "lien").symlink_to(big)
    for name in ("rien", "lien", "."):
        with ReadAhead(str(tmp_path / name)) as ahead:
            pass
        assert ahead.bytes_read == 0


def test_a_big_file_comes_home_whole_also_from_a_folder_that_was_renamed(tmp_path, need):
    need("root", "overlay")
    home, below = tmp_path / ".cabinet.reprise", tmp_path / "below"
    (below / "a").mkdir(parents=True)
    home.mkdir()
    content = os.urandom(40 * MB)
    for place in (below / "base.db", below / "a/base.db"):
        place.write_bytes(content)
    view = Overlay(str(home), str(tmp_path / "cabinet"))
    view.lay([str(below)])
    view.begin(str(below))
    view.mount()
    try:
        (tmp_path / "cabinet/a").rename(tmp_path / "cabinet/b")
        view.bring("base.db")
        view.bring("b/base.db")
        assert view.is_local("base.db")
        assert (home / "upper/base.db").read_bytes() == content
        assert (home / "upper/b/base.db").read_bytes() == content
    finally:
        view.unmount()
        mounts.unseal(str(tmp_path / "cabinet"))
