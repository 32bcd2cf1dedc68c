"""A roll-back writes as root where attackers may write too: it must never reach outside the folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.store.facts import facts_of, set_facts, without_powers
from releve.adapters.store.objects import can_clone
from tests.guard.contract_keeper import Kept, place_of

KINDS = ("handle", "inode")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="handles and foreign owners need root")
pytestmark = needs_root


@pytest.fixture(params=KINDS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    share = tmp_path / "share"
    share.mkdir()
    kept = Kept(share, tmp_path / "store", place_of(request.param, str(share)), copy=True)
    yield kept
    kept.close()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of root on the same file system, like /etc."""
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    return folder


def untouched(folder: Path) -> bool:
    st = folder.stat()
    return (st.st_uid, st.st_mode & 0o7777, list(folder.iterdir())) == (0, 0o755, [])


def swapping(kept: Kept, folder: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder becomes a link to `outside` right after somebody asked where it is."""
    ask, key = kept.keeper.place.directory_path, kept.key(folder)

    def answer(wanted: bytes) -> str | None:
        path = ask(wanted)
        if wanted == key and path is not None and not folder.is_symlink():
            folder.rename(folder.with_name("aside"))
            folder.symlink_to(outside)
        return path

    monkeypatch.setattr(kept.keeper.place, "directory_path", answer)


def test_a_link_in_place_of_a_folder_that_is_gone_is_not_followed(
    kept: Kept, outside: Path
) -> None:
    folder = kept.folder / "d"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    (folder / "ld.so.preload").write_bytes(b"x")
    kept.baseline()
    node, name = kept.node(folder / "ld.so.preload"), kept.name(folder / "ld.so.preload")
    (folder / "ld.so.preload").unlink()
    folder.rmdir()
    folder.symlink_to(outside)
    kept.give_back(node, name)
    assert untouched(outside)
    assert not folder.is_symlink()
    assert folder.stat().st_uid == 65534
    assert (folder / "ld.so.preload").read_bytes() == b"x"


@pytest.mark.parametrize("living", [False, True])
@pytest.mark.parametrize("beside", [False, True])
def test_a_folder_swapped_for_a_link_after_the_look_up_leads_nowhere(
    kept: Kept, outside: Path, monkeypatch: pytest.MonkeyPatch, living: bool, beside: bool
) -> None:
    folder = kept.folder / "d"
    folder.mkdir()
    path = folder / "f"
    path.write_bytes(b"original")
    kept.baseline()
    node, name = kept.node(path), kept.name(path)
    if living:
        path.write_bytes(b"detruit")
    else:
        path.unlink()
    swapping(kept, folder, outside, monkeypatch)
    try:
        kept.give_back(node, name, beside=beside)
    except OSError:
        assert kept.kind != "handle"  # found by path it may be lost for now, never misplaced
    assert untouched(outside)


def test_another_users_folder_moved_to_a_known_name_is_not_handed_over(kept: Kept) -> None:
    mine, theirs = kept.folder / "mine", kept.folder / "theirs"
    mine.mkdir()
    theirs.mkdir(mode=0o700)
    os.chown(mine, 65534, 65534)
    os.chown(theirs, 1234, 1234)
    kept.baseline()
    key = kept.key(mine)
    mine.rmdir()
    theirs.rename(mine)
    kept.give.directory(key)
    (aside,) = (path for path in kept.folder.iterdir() if path.name.startswith("mine ("))
    assert (aside.stat().st_uid, aside.stat().st_mode & 0o777) == (1234, 0o700)
    assert (mine.stat().st_uid, list(mine.iterdir())) == (65534, [])


def test_a_waiting_file_under_a_guessable_name_is_never_written_into(
    tmp_path: Path, outside: Path
) -> None:
    """The store on another disk: what is made beside the file is out of others' reach."""
    shm = Path("/dev/shm") / f"releve-{os.getpid()}"
    share = tmp_path / "other"
    share.mkdir()
    kept = Kept(share, shm, place_of("handle", str(share)), copy=True)
    try:
        (share / "f").write_bytes(b"secret")
        (share / "l").symlink_to("nulle/part")
        kept.baseline()
        node, name = kept.node(share / "f"), kept.name(share / "f")
        link, link_name = kept.node(share / "l"), kept.name(share / "l")
        generation = kept.newest(node).id
        (share / "f").unlink()
        (share / "l").unlink()
        bait = share / f".releve-{generation:x}"
        bait.write_bytes(b"")
        kept.give_back(node, name)
        kept.give.link(link, link_name)
        assert bait.read_bytes() == b""
        assert (share / "f").read_bytes() == b"secret"
        assert sorted(p.name for p in share.iterdir()) == [bait.name, "f", "l"]
    finally:
        kept.close()
        for path in sorted(shm.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        shm.rmdir()


def test_the_trial_for_clones_follows_no_link(tmp_path: Path) -> None:
    share, store, victim = tmp_path / "share", tmp_path / "store", tmp_path / "passwd"
    share.mkdir()
    store.mkdir()
    victim.write_bytes(b"root:x:0:0")
    (share / ".releve-trial").symlink_to(victim)
    can_clone(str(store), str(share))
    assert victim.read_bytes() == b"root:x:0:0"
    assert [p.name for p in share.iterdir()] == [".releve-trial"]


def test_a_name_with_a_line_break_writes_one_line_of_the_quarantine_list(kept: Kept) -> None:
    path = kept.folder / "a\n00000099\tfaux"
    path.write_bytes(b"x")
    kept.baseline()
    kept.give.quarantine(kept.node(path))
    lines = (kept.store / "quarantine" / "names").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1


def test_a_tree_deeper_than_a_path_may_be_is_said_not_to_be_held(kept: Kept) -> None:
    fd = os.open(kept.folder, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=fd)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    kept.baseline()
    assert kept.keeper.take_unreadable()


def test_a_folder_moved_to_the_place_of_one_that_is_gone_keeps_its_rights(kept: Kept) -> None:
    """Whoever may write in the folder above can move the private folder of the same owner there."""
    public, private = kept.folder / "pub", kept.folder / "private"
    for folder, mode in ((public, 0o777), (private, 0o700)):
        folder.mkdir()
        os.chown(folder, 65534, 65534)
        folder.chmod(mode)
    (public / "f").write_bytes(b"x")
    (private / "secret").write_bytes(b"s")
    kept.baseline()
    node, name = kept.node(public / "f"), kept.name(public / "f")
    (public / "f").unlink()
    public.rmdir()
    private.rename(public)
    kept.give_back(node, name)
    assert (public.stat().st_mode & 0o7777, [p.name for p in public.iterdir()]) == (0o777, ["f"])
    (aside,) = (path for path in kept.folder.iterdir() if path.name.startswith("pub ("))
    assert (aside.stat().st_mode & 0o7777, [p.name for p in aside.iterdir()]) == (0o700, ["secret"])


def test_what_is_kept_beside_has_no_power_of_its_own(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"x")
    program.chmod(0o6775)
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    os.setxattr(program, "security.capability", capability)
    os.setxattr(program, "user.mark", b"1")
    beside = tmp_path / "beside"
    with program.open("rb") as file, beside.open("wb") as out:
        facts = facts_of(file.fileno(), os.fstat(file.fileno()))
        set_facts(out.fileno(), without_powers(facts))
    assert beside.stat().st_mode & 0o7777 == 0o775
    assert os.listxattr(beside) == ["user.mark"]
