"""What every keeper of originals must do, whatever names its files and however it holds them.

A side of the port subclasses `KeeperContract` and gives the fixture `kept`.
"""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.clock import SystemClock
from releve.adapters.linux.place import HandlePlace
from releve.adapters.portable.place import InodePlace
from releve.adapters.store.keeper import Keeper
from releve.adapters.store.putback import GiveBack
from releve.flow.ports import Place
from releve.model.held import Generation, HoldResult, Judged, Kind, Name, Node
from releve.recover.rollback import keep

_ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, rights, who)
    for tag, rights, who in (
        (0x01, 6, 0xFFFFFFFF), (0x02, 4, 4321), (0x04, 4, 0xFFFFFFFF), (0x10, 6, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF),
    )
)  # fmt: skip
_BASELINE = """
import sys
from tests.guard.contract_keeper import Kept, place_of
kept = Kept(sys.argv[1], sys.argv[2], place_of(sys.argv[3], sys.argv[1]), copy=sys.argv[4] == "copy")
print("begun", flush=True)
for n, _ in enumerate(kept.keeper.baseline(0, "", lambda files, size: None)):
    if n == 250:
        print("half", flush=True)
print("whole", flush=True)
"""


def place_of(kind: str, folder: str) -> Place:
    """How files of a folder are named: "handle" or "inode"."""
    return HandlePlace(folder) if kind == "handle" else InodePlace(folder)


class Kept:
    """One protected folder with its keeper, spoken to by path."""

    def __init__(
        self, folder: str | Path, store: str | Path, place: Place, *, copy: bool, kind: str = "",
        full_share: float = 0.98,
    ) -> None:  # fmt: skip
        self.folder, self.store, self.kind, self.copy = Path(folder), Path(store), kind, copy
        self.keeper = Keeper(str(store), place, SystemClock(), full_share=full_share, copy=copy)
        self.keeper.add_folder(str(folder))
        names = getattr(place, "names_of", None)
        if names is not None:
            place.names_of = self._names  # type: ignore[attr-defined]
        self.give = GiveBack(self.keeper)

    def _names(self, key: bytes) -> list[Name]:
        node = self.keeper.node(key)
        return self.keeper.names(node.id) if node is not None else []

    def baseline(self, writer: str = "") -> list[HoldResult]:
        return list(self.keeper.baseline(0, writer, lambda _files, _size: None))

    def key(self, path: Path) -> bytes:
        return self.keeper.place.key_of(str(path))

    def hold(self, path: Path, writer: str = "7-1") -> HoldResult:
        return self.keeper.hold(self.key(path), writer, folder=0)

    def node(self, path: Path) -> Node:
        node = self.keeper.node(self.key(path))
        assert node is not None
        return node

    def name(self, path: Path) -> Name:
        return Name(self.key(path.parent), os.fsencode(path.name))

    def newest(self, node: Node) -> Generation:
        return self.keeper.generations(node.id)[-1]

    def content(self, generation: Generation) -> bytes:
        held = self.keeper.read(generation)
        try:
            return held.read(0, held.size)
        finally:
            held.close()

    def give_back(self, node: Node, *names: Name, beside: bool = False) -> str:
        """Its first generation again; answers the path of the copy kept beside."""
        first = self.keeper.generations(node.id)[0]
        return self.give.file(node, first, list(names), stamp="hier", beside=beside).beside

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.keeper.close()


def look(path: Path) -> tuple[object, ...]:
    """All that must be as before: content, owner, mode, time, attributes and ACL."""
    st = path.lstat()
    attributes = {
        n: os.getxattr(path, n) for n in sorted(os.listxattr(path)) if n != "security.selinux"
    }
    return (
        path.read_bytes(),
        st.st_uid,
        st.st_gid,
        st.st_mode,
        st.st_mtime_ns,
        tuple(attributes.items()),
    )


def dress(path: Path, text: bytes) -> None:
    """A file with every attribute that a roll-back must bring back."""
    path.write_bytes(text)
    with contextlib.suppress(OSError):
        os.setxattr(path, "user.patient", b"oui")
    with contextlib.suppress(OSError):
        os.setxattr(path, "system.posix_acl_access", _ACL)
    if os.geteuid() == 0:
        os.chown(path, 1234, 1235)
    else:
        path.chmod(0o640)
    os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_000_987_654_321))


class KeeperContract:
    """The suite. `kept` holds an empty folder; the baseline is taken by the test."""

    # holding

    def test_what_is_held_is_what_was_there(self, kept: Kept) -> None:
        path = kept.folder / "lettre.txt"
        for text in (b"", b"Bonjour", b"x" * 5000, os.urandom((1 << 20) + 77)):
            path.write_bytes(text)
            result = kept.hold(path)
            assert result.generation is not None
            assert result.generation.settled
            assert kept.content(result.generation) == text

    def test_an_unchanged_file_is_not_held_again(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"un")
        time.sleep(
            0.05
        )  # older kernels stamp changes by ticks: within one, equal times prove nothing
        first = kept.hold(path).generation
        again = kept.hold(path).generation
        assert first is not None
        assert again is not None
        assert first.id == again.id
        assert len(kept.keeper.generations(kept.node(path).id)) == 1

    def test_each_save_is_a_generation_and_older_ones_stay(self, kept: Kept) -> None:
        path = kept.folder / "a"
        for text in (b"un", b"deux", b"trois"):
            path.write_bytes(text)
            kept.hold(path)
        held = [kept.content(g) for g in kept.keeper.generations(kept.node(path).id)]
        assert held == [b"un", b"deux", b"trois"]

    def test_a_file_open_for_writing_is_held_as_not_settled(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"avant")
        with path.open("r+b") as file:
            file.write(b"pendant")
            file.flush()
            during = kept.hold(path).generation
            time.sleep(0.05)
            file.write(b" et apres")
        after = kept.hold(path).generation
        assert during is not None
        assert after is not None
        assert not during.settled
        assert after.settled
        assert after.id != during.id
        assert [kept.content(g) for g in (during, after)] == [b"pendant", b"pendant et apres"]

    def test_what_was_only_open_is_settled_once_it_is_closed(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"avant")
        with path.open("r+b"):
            time.sleep(0.05)
            during = kept.hold(path).generation
        after = kept.hold(path).generation
        assert during is not None
        assert after is not None
        assert (during.settled, after.settled) == (False, True)
        assert after.id == during.id  # nothing changed: one copy is enough
        assert kept.content(after) == b"avant"

    def test_what_stays_open_for_writing_does_not_settle_by_being_looked_at(
        self, kept: Kept
    ) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"avant")
        with path.open("r+b"):
            time.sleep(0.05)  # the same times prove that it is the same
            first, again = (kept.hold(path).generation for _ in range(2))
            assert first is not None
            assert again is not None
            assert (first.settled, again.settled) == (False, False)
            assert again.id == first.id

    def test_what_changed_while_it_was_copied_is_torn(
        self, kept: Kept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The writer was quick: closed again before anybody asked whether somebody writes."""
        path, objects = kept.folder / "a", kept.keeper.objects
        path.write_bytes(b"avant" * 50)
        for name in ("clone", "copy"):
            take = getattr(objects, name)

            def taken(*args: Any, take: Callable[..., Any] = take) -> Any:
                time.sleep(0.02)  # older kernels stamp changes by ticks
                path.write_bytes(b"apres" * 50)
                return take(*args)

            monkeypatch.setattr(objects, name, taken)
        torn = kept.hold(path).generation
        assert torn is not None
        assert not torn.settled
        monkeypatch.undo()
        whole = kept.hold(path).generation
        assert whole is not None
        assert whole.settled
        assert kept.content(whole) == b"apres" * 50

    def test_what_lives_on_only_in_a_program_that_has_it_open_is_gone(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"un")
        key = kept.key(path)
        with path.open("rb"):
            path.unlink()
            result = kept.keeper.hold(key, "7-1", folder=0)
        assert (result.refused, result.generation) == ("gone", None)
        assert kept.keeper.node(key) is None

    def test_what_is_gone_is_said_to_be_gone(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"un")
        key = kept.key(path)
        kept.hold(path)
        path.unlink()
        assert kept.keeper.hold(key, "7-1", folder=0).refused == "gone"
        assert kept.keeper.changed_ns(key) == 0

    def test_a_reused_inode_number_is_another_file(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"un")
        key = kept.key(path)
        path.unlink()
        time.sleep(0.02)
        keys = set()
        for number in range(20):
            other = kept.folder / f"b{number}"
            other.write_bytes(b"autre")
            keys.add(kept.key(other))
        assert key not in keys

    # names

    def test_a_baseline_knows_every_entry_by_its_names(self, kept: Kept) -> None:
        (kept.folder / "d" / "e").mkdir(parents=True)
        (kept.folder / "d" / "f").write_bytes(b"x")
        os.link(kept.folder / "d" / "f", kept.folder / "g")
        (kept.folder / "l").symlink_to("d/f")
        kept.baseline()
        names = {kept.keeper.path(n) for n in kept.keeper.names(kept.node(kept.folder / "g").id)}
        assert names == {str(kept.folder / "d" / "f"), str(kept.folder / "g")}
        assert kept.keeper.counts(0)[0] == 1
        assert kept.node(kept.folder / "l").facts.target == b"d/f"

    def test_a_renamed_file_is_the_same_original(self, kept: Kept) -> None:
        path, other = kept.folder / "a", kept.folder / "b.locked"
        path.write_bytes(b"un")
        kept.baseline()
        node, name = kept.node(path), kept.name(path)
        path.rename(other)
        kept.keeper.unnamed(node.key, name)
        kept.keeper.named(node.key, kept.name(other))
        assert kept.hold(other).node == node.id
        assert [kept.keeper.path(n) for n in kept.keeper.names(node.id)] == [str(other)]

    def test_a_late_deletion_does_not_take_the_name_of_the_next(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"un")
        kept.baseline()
        old = kept.key(path)
        path.unlink()
        path.write_bytes(b"deux")
        time.sleep(0.01)
        kept.hold(path)
        kept.keeper.named(kept.key(path), kept.name(path))
        if kept.key(path) != old:
            assert kept.keeper.unnamed(old, kept.name(path)) is None
        assert kept.keeper.names(kept.node(path).id) == [kept.name(path)]

    def test_comparing_finds_what_changed_came_and_went(self, kept: Kept) -> None:
        for name in ("same", "changed", "gone", "moved"):
            (kept.folder / name).write_bytes(name.encode())
        kept.baseline()
        moved = kept.node(kept.folder / "moved").id
        (kept.folder / "changed").write_bytes(b"autre chose")
        (kept.folder / "gone").unlink()
        (kept.folder / "moved").rename(kept.folder / "elsewhere")
        (kept.folder / "new").write_bytes(b"neuf")
        found = kept.baseline("absent")
        said = {
            (n.name if (n := kept.keeper.last_name(r.node)) else b""): r for r in found if r.node
        }
        assert b"same" not in said
        assert said[b"changed"].generation is not None
        assert said[b"gone"].refused == "gone"
        assert said[b"new"].is_new
        assert said[b"elsewhere"].node == moved
        assert [n.name for n in said[b"elsewhere"].lost_names] == [b"moved"]

    # giving back

    def test_an_overwritten_file_is_given_back_into_the_same_inode(self, kept: Kept) -> None:
        path = kept.folder / "a"
        dress(path, b"original " * 9000)
        kept.baseline()
        before, inode = look(path), path.stat().st_ino
        path.chmod(0o600)
        path.write_bytes(os.urandom(100))
        if "user.patient" in os.listxattr(path):
            os.removexattr(path, "user.patient")
        kept.give_back(kept.node(path), kept.name(path))
        assert look(path) == before
        assert path.stat().st_ino == inode

    def test_a_deleted_file_is_made_again_with_all_its_names(self, kept: Kept) -> None:
        path, other = kept.folder / "a", kept.folder / "d" / "b"
        other.parent.mkdir()
        dress(path, b"original")
        os.link(path, other)
        os.utime(path, ns=(1_600_000_000_000_000_001, 1_600_000_000_000_000_001))
        kept.baseline()
        before, node = look(path), kept.node(path)
        names = [kept.name(path), kept.name(other)]
        path.unlink()
        other.unlink()
        kept.give_back(node, *names)
        assert look(path) == look(other) == before
        assert path.stat().st_ino == other.stat().st_ino

    def test_a_renamed_and_encrypted_file_gets_name_and_content_back(self, kept: Kept) -> None:
        path, other = kept.folder / "a", kept.folder / "a.locked"
        dress(path, b"original")
        kept.baseline()
        before, node, name = look(path), kept.node(path), kept.name(path)
        path.write_bytes(os.urandom(8))
        path.rename(other)
        kept.keeper.unnamed(node.key, name)
        kept.keeper.named(node.key, kept.name(other))
        kept.give_back(node, name)
        assert look(path) == before
        assert not other.exists()

    def test_a_file_replaced_by_rename_comes_back_and_the_other_is_kept(self, kept: Kept) -> None:
        path, new = kept.folder / "a", kept.folder / "a.tmp"
        dress(path, b"original")
        kept.baseline()
        before, node, name = look(path), kept.node(path), kept.name(path)
        new.write_bytes(b"chiffre")
        new.replace(path)
        kept.keeper.unnamed(None, name)
        kept.give_back(node, name)
        assert look(path) == before
        kept_aside = [
            p.read_bytes() for p in (kept.store / "quarantine").iterdir() if p.name != "names"
        ]
        assert kept_aside == [b"chiffre"]

    def test_both_versions_stay_when_others_may_need_theirs(self, kept: Kept) -> None:
        path = kept.folder / "lettre.txt"
        path.write_bytes(b"original")
        kept.baseline()
        path.write_bytes(b"saisie d'un autre")
        aside = kept.give_back(kept.node(path), kept.name(path), beside=True)
        assert path.read_bytes() == b"original"
        assert Path(aside).read_bytes() == b"saisie d'un autre"
        assert Path(aside).parent == path.parent
        assert Path(aside).suffix == ".txt"

    def test_a_tree_that_is_gone_is_made_again(self, kept: Kept) -> None:
        deep = kept.folder / "d" / "e"
        deep.mkdir(parents=True)
        (kept.folder / "d" / "empty").mkdir(mode=0o710)
        (deep / "f").write_bytes(b"x")
        kept.baseline()
        node, name = kept.node(deep / "f"), kept.name(deep / "f")
        empty = kept.key(kept.folder / "d" / "empty")
        (deep / "f").unlink()
        for gone in (deep, kept.folder / "d" / "empty", kept.folder / "d"):
            gone.rmdir()
        kept.give_back(node, name)
        kept.give.directory(empty)
        assert (deep / "f").read_bytes() == b"x"
        assert (kept.folder / "d" / "empty").stat().st_mode & 0o777 == 0o710

    def test_a_symbolic_link_is_made_again(self, kept: Kept) -> None:
        link = kept.folder / "l"
        link.symlink_to("nulle/part")
        kept.baseline()
        node, name = kept.node(link), kept.name(link)
        link.unlink()
        assert kept.give.link(node, name)
        assert link.readlink() == Path("nulle/part")

    def test_what_was_given_back_is_no_change_at_the_next_comparison(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"original")
        kept.baseline()
        node, name = kept.node(path), kept.name(path)
        path.unlink()
        kept.give_back(node, name)
        changed = [
            r for r in kept.baseline("absent") if r.facts is None or r.facts.kind is Kind.FILE
        ]
        assert changed == []

    def test_quarantine_takes_the_file_out_and_keeps_it(self, kept: Kept) -> None:
        path = kept.folder / "rancon.txt"
        path.write_bytes(b"payez")
        kept.baseline()
        assert kept.give.quarantine(kept.node(path)) == [str(path)]
        assert not path.exists()
        lists = (kept.store / "quarantine" / "names").read_text(encoding="utf-8")
        assert str(path) in lists

    # what must not be lost

    def test_a_baseline_killed_in_the_middle_is_finished_by_the_next(self, kept: Kept) -> None:
        wanted = {}
        for number in range(900):
            path = kept.folder / f"d{number % 9}" / f"f{number}"
            path.parent.mkdir(exist_ok=True)
            wanted[path] = f"dossier {number}".encode() * (number % 50)
            path.write_bytes(wanted[path])
        words = (str(kept.folder), str(kept.store), kept.kind, "copy" if kept.copy else "")
        kept.close()
        killed = subprocess.Popen(
            [sys.executable, "-c", _BASELINE, *words], stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "src:."}, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"begun\n"
        assert killed.stdout.readline() == b"half\n"
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
        killed.stdout.close()
        again = reopened(kept)
        try:
            held_before = again.keeper.counts(0)[0]
            done = again.baseline()
            assert 0 < held_before < 900
            assert len([r for r in done if r.generation]) <= 900 - held_before + 200
            for path, text in wanted.items():
                assert again.content(again.newest(again.node(path))) == text
        finally:
            again.close()

    def test_a_full_store_says_so_and_keeps_what_it_holds(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"original")
        kept.baseline()
        kept.close()
        full = reopened(kept, full_share=0.0)
        try:
            path.write_bytes(b"plus de place pour ceci")
            result = full.hold(path)
            assert result.refused == "full"
            assert result.generation is None
            assert full.content(full.newest(full.node(path))) == b"original"
        finally:
            full.close()

    @pytest.mark.parametrize("size", [3000, (1 << 20) + 5])
    def test_a_damaged_store_is_an_error_and_leaves_the_file_alone(
        self, kept: Kept, size: int
    ) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"o" * size)
        kept.baseline()
        path.write_bytes(b"ce qui reste")
        for held in [*(kept.store / "objects").rglob("*"), *(kept.store / "packs").iterdir()]:
            if held.is_file():
                os.truncate(held, 10)
        node = kept.node(path)
        with pytest.raises(FileNotFoundError):
            kept.content(kept.newest(node))
        with pytest.raises(OSError, match="shorter"):
            kept.give_back(node, kept.name(path))
        assert path.read_bytes() == b"ce qui reste"

    def test_pruning_keeps_what_the_policy_names_and_gives_room_back(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"baseline")
        kept.baseline()
        for number in range(40):
            path.write_bytes(f"version {number}".encode() * 100)
            kept.hold(path, f"{number}-1")
        node = kept.node(path)
        before = kept.keeper.held_bytes
        dropped = kept.keeper.prune(node.id, lambda held: keep(held, 8))
        left = kept.keeper.generations(node.id)
        assert dropped == 41 - len(left)
        assert len(left) <= 8
        assert kept.keeper.held_bytes < before
        assert kept.content(left[0]) == b"baseline"
        assert kept.content(left[-1]) == b"version 39" * 100
        assert all(kept.content(g) for g in left)

    def test_judgements_stay(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"x")
        held = kept.hold(path, "9-9").generation
        assert held is not None
        assert held.judged is Judged.NOT_YET
        kept.keeper.judge(held.id, Judged.BAD)
        assert kept.newest(kept.node(path)).judged is Judged.BAD

    def test_a_file_in_the_middle_of_being_saved_is_known_as_such(self, kept: Kept) -> None:
        path = kept.folder / "a"
        path.write_bytes(b"x" * 100)
        assert not kept.keeper.is_being_written(kept.key(path))
        with path.open("r+b"):
            assert kept.keeper.is_being_written(kept.key(path))
        assert not kept.keeper.is_being_written(kept.key(path))

    def test_the_store_is_closed_to_others(self, kept: Kept) -> None:
        assert kept.store.stat().st_mode & 0o777 == 0o700


def reopened(kept: Kept, *, full_share: float = 0.98) -> Kept:
    """The same store by a new process's keeper."""
    return Kept(
        kept.folder, kept.store, place_of(kept.kind, str(kept.folder)), copy=kept.copy,
        kind=kept.kind, full_share=full_share,
    )  # fmt: skip


def using(kept: Kept) -> Iterator[Kept]:
    """Fixture body: close at the end, whatever the test did."""
    try:
        yield kept
    finally:
        kept.close()
