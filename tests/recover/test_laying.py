"""What is laid over the clean snapshot: on plain folders that stand for the mounted snapshots."""

import hashlib
import os
import stat

import pytest

from releve.apps.recover.laying import Laying
from releve.flow.recovery.errors import DiskRoomError
from releve.model.backup import DatabaseCopy
from releve.model.clean import Why
from releve.recover.course import Cause, Course, Hidden, Piece

pytestmark = pytest.mark.need("root")
BASE, LATE = "b" * 64, "e" * 64
WHY = Why(code="x", fr="x", en="x")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Shown:
    """Two snapshots of /srv/c, and the upper folder."""

    def __init__(self, root):
        self.root, self.ids, self.upper = root, root / "ids", root / "upper"
        self.upper.mkdir()
        self.below = self.folder(BASE)

    def folder(self, snapshot):
        place = self.ids / snapshot / "srv/c"
        place.mkdir(parents=True, exist_ok=True)
        return place

    def put(self, snapshot, path, content: bytes, mode=0o640):
        place = self.folder(snapshot) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(mode)
        os.utime(place, ns=(10**18, 10**18 + len(content)))
        return place

    def lay(self, *pieces, hidden=(), copies=(), left=()):
        course = Course(
            folder="/srv/c", snapshot=BASE, at=None, pieces=pieces, hidden=hidden, left=left
        )
        laying = Laying(
            course,
            ids=lambda _: str(self.ids),
            below=str(self.below),
            upper=str(self.upper),
            copies=lambda _: copies,
        )
        return laying, laying.lay(2)


@pytest.fixture
def shown(tmp_path):
    return Shown(tmp_path)


def piece(path, content=b"", cause=Cause.NEWER, snapshot=LATE, **facts):
    known = {"sha256": digest(content), "size": len(content)} | facts
    return Piece(path=path, source=f"/srv/c/{path}", snapshot=snapshot, cause=cause, **known)


def is_hidden(path) -> bool:
    facts = path.lstat()
    return stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0


def test_a_newer_file_is_laid_as_it_was_in_folders_like_the_snapshots(shown):
    shown.put(BASE, "patients/a.doc", b"old")
    shown.below.joinpath("patients").chmod(0o750)
    late = shown.put(LATE, "patients/a.doc", b"newer", 0o600)
    shown.put(LATE, "nouveau/b.doc", b"fresh")
    shown.folder(LATE).joinpath("nouveau").chmod(0o710)
    _, layer = shown.lay(piece("patients/a.doc", b"newer"), piece("nouveau/b.doc", b"fresh"))
    laid = shown.upper / "patients/a.doc"
    assert laid.read_bytes() == b"newer"
    assert (laid.stat().st_mode, laid.stat().st_mtime_ns) == (
        late.stat().st_mode,
        late.stat().st_mtime_ns,
    )
    assert stat.S_IMODE((shown.upper / "patients").stat().st_mode) == 0o750
    assert stat.S_IMODE((shown.upper / "nouveau").stat().st_mode) == 0o710
    assert {(f.path, f.size) for f in layer.files} == {("patients/a.doc", 5), ("nouveau/b.doc", 5)}


def test_what_is_not_what_was_judged_is_not_laid(shown):
    shown.put(BASE, "a.doc", b"old")
    shown.put(LATE, "a.doc", b"changed since it was judged")
    shown.put(BASE, "x.exe", b"bad")
    pieces = (
        piece("a.doc", b"judged"),
        piece("gone.doc", b"judged"),
        piece("x.exe", b"before", cause=Cause.INSTEAD),
    )
    _, layer = shown.lay(*pieces, left=(piece("big.doc"),))
    assert sorted(layer.left) == [
        ("a.doc", "content"), ("big.doc", "too_much"), ("gone.doc", "missing"), ("x.exe", "missing"),
    ]  # fmt: skip
    assert not (shown.upper / "a.doc").exists(), "the clean snapshot's own shows"
    assert is_hidden(shown.upper / "x.exe"), "without the version before, nothing of it"
    assert not list(shown.upper.rglob(".releve-*"))


def test_a_database_of_another_moment_comes_without_the_logs_that_lie_there(shown):
    shown.put(BASE, "p.db", b"torn")
    shown.put(BASE, "p.db-wal", b"log of another moment")
    place = shown.ids / LATE / "state/releve-bases/srv/c/p.db"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"whole")
    copy = DatabaseCopy(
        path="/srv/c/p.db", copy="/state/releve-bases/srv/c/p.db", size=5, sha256=digest(b"whole"),
        mode=0o600, uid=7, gid=8, mtime_ns=10**18, state="",
    )  # fmt: skip
    base = piece("p.db", cause=Cause.DATABASE, sha256="", size=0)
    _, layer = shown.lay(base, copies=(copy,))
    laid = shown.upper / "p.db"
    assert laid.read_bytes() == b"whole"
    assert (laid.stat().st_uid, laid.stat().st_gid, laid.stat().st_mtime_ns) == (7, 8, 10**18)
    assert is_hidden(shown.upper / "p.db-wal")
    assert layer.files[0].sha256 == digest(b"whole")


def test_what_may_not_come_back_is_not_shown_and_laying_again_is_harmless(shown):
    shown.put(BASE, "sous/m.docm", b"macro")
    shown.put(LATE, "a.doc", b"newer")
    hidden = (Hidden(path="sous/m.docm", why=WHY), Hidden(path="n.db", why=WHY, is_database=True))
    for _ in range(2):
        _, layer = shown.lay(piece("a.doc", b"newer"), hidden=hidden)
        assert is_hidden(shown.upper / "sous/m.docm")
        assert is_hidden(shown.upper / "n.db")
        assert layer.hidden == ("sous/m.docm", "n.db")
        assert (shown.upper / "a.doc").read_bytes() == b"newer"


def test_without_room_nothing_is_begun(shown):
    laying, _ = shown.lay()
    laying.check_room(100, 100)
    with pytest.raises(DiskRoomError):
        laying.check_room(99, 100)


def test_a_big_file_that_is_read_ahead_is_laid_byte_for_byte(shown):
    content = os.urandom(1 << 20) * 17
    shown.put(LATE, "gros.db", content)
    _, layer = shown.lay(piece("gros.db", content))
    assert [one.sha256 for one in layer.files] == [digest(content)]
    assert shown.upper.joinpath("gros.db").read_bytes() == content
