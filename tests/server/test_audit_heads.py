"""Signed heads of the audit trail, and what they find that the chain alone does not."""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.audit_heads import HeadFolder, HeadsUnreadableError, read_lines
from releve.adapters.sql import tables as t
from releve.adapters.sql.store import SqlStore
from releve.apps.cli import main
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server.audit import TrailBroken, digest, sign, sign_end
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ports import AuditEntry, KeptHead
from releve.flow.server.shipping import ship
from releve.flow.server.verify import verify, verify_shipped
from releve.model.audit import AuditHead
from tests.server.world import T0, running, tampering

KEY = Ed25519PrivateKey.generate()
PUBLIC = [KEY.public_key().public_bytes_raw()]
MINUTE = dt.timedelta(minutes=1)
Found = list[tuple[str, int, int, dt.datetime | None]]


class Trail(msgspec.Struct, frozen=True):
    """Nine entries under three heads (3, 6 and 9), shipped to a folder."""

    store: SqlStore
    structure: str
    shipped: Path

    def found(self, *, with_shipped: bool = True) -> Found:
        lines = read_lines(self.shipped) if with_shipped else None
        checked = verify(self.store, PUBLIC, lines)
        return [(f.what, f.first, f.last, f.since) for one in checked for f in one.faults]

    def ship(self) -> int:
        return ship(self.store, self.structure, HeadFolder(self.shipped))


def record(store: SqlStore, structure: str, many: int) -> None:
    with store.unit(structure) as unit:
        for n in range(many):
            unit.record(T0, "claire", f"host/{n}", "isolate", "é" * n)


@pytest.fixture
def trail(store: SqlStore, tmp_path: Path) -> Trail:
    owner = ensure_structure(store, "Cabinet", "s1", T0)
    shipped = tmp_path / "elsewhere"
    shipped.mkdir()
    made = Trail(store, owner.id, shipped)
    for minute in (1, 2, 3):
        record(store, owner.id, 3)
        assert sign_end(store, owner.id, KEY, T0 + minute * MINUTE)
    assert made.ship() == 3
    return made


def test_a_whole_trail_is_whole_and_a_head_is_made_only_when_it_grew(trail: Trail) -> None:
    assert not sign_end(trail.store, trail.structure, KEY, T0 + 9 * MINUTE)
    assert trail.ship() == 0
    (checked,) = verify(trail.store, PUBLIC, read_lines(trail.shipped))
    assert (checked.entries, checked.heads, checked.shipped) == (9, 3, 3)
    assert (checked.signed_to, checked.shipped_to, checked.faults) == (9, 9, ())
    assert checked.shipped_at == T0 + 3 * MINUTE


def change(trail: Trail) -> None:
    with tampering(trail.store, trail.structure, "audit") as db:
        db.execute(sa.update(t.audit).where(t.audit.c.number == 5).values(actor="x"))


def remove(trail: Trail) -> None:
    with tampering(trail.store, trail.structure, "audit") as db:
        db.execute(sa.delete(t.audit).where(t.audit.c.number.in_((5, 6))))


def cut(trail: Trail) -> None:
    with tampering(trail.store, trail.structure, "audit") as db:
        db.execute(sa.delete(t.audit).where(t.audit.c.number > 7))


def cut_with_heads(trail: Trail) -> None:
    with tampering(trail.store, trail.structure, "audit", "audit_head") as db:
        db.execute(sa.delete(t.audit).where(t.audit.c.number > 4))
        db.execute(sa.delete(t.audit_head).where(t.audit_head.c.number > 4))


def rewrite(trail: Trail) -> None:
    """By somebody who has everything of the server: a chain that follows, and heads that fit."""
    with trail.store.unit(trail.structure) as unit:
        entries, heads = list(unit.trail_after(0)), unit.audit_heads()
    with tampering(trail.store, trail.structure, "audit", "audit_head") as db:
        previous, made = "", {}
        for entry in entries:
            actor = "paul" if entry.number == 5 else entry.actor
            previous = digest(changed := msgspec.structs.replace(entry, actor=actor), previous)
            made[entry.number] = previous
            own = t.audit.c.number == entry.number
            db.execute(sa.update(t.audit).where(own).values(actor=changed.actor, digest=previous))
        for kept in heads:
            body = AuditHead(
                structure=trail.structure, seq=kept.seq, number=kept.number,
                digest=made[kept.number], at=T0 + kept.seq * MINUTE,
            )  # fmt: skip
            own = t.audit_head.c.seq == kept.seq
            db.execute(sa.update(t.audit_head).where(own).values(signed=sign(KEY, body)))


def drop_head(trail: Trail) -> None:
    with tampering(trail.store, trail.structure, "audit_head") as db:
        db.execute(sa.delete(t.audit_head).where(t.audit_head.c.seq == 2))


def forge_head(trail: Trail) -> None:
    head = AuditHead(structure=trail.structure, seq=2, number=6, digest="0" * 64, at=T0)
    forged = sign(Ed25519PrivateKey.generate(), head)
    with tampering(trail.store, trail.structure, "audit_head") as db:
        own = t.audit_head.c.seq == 2
        db.execute(sa.update(t.audit_head).where(own).values(signed=forged))


def lose_shipped(trail: Trail) -> None:
    (file,) = trail.shipped.iterdir()
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[2])


def erase(trail: Trail) -> None:
    with tampering(trail.store, trail.structure, "audit", "audit_head") as db:
        for table in (t.audit, t.audit_head):
            db.execute(sa.delete(table))
        db.execute(sa.delete(t.structure).where(t.structure.c.id == trail.structure))


@pytest.mark.parametrize(
    ("attack", "found"),
    [
        (change, [("changed", 5, 5, T0 + 2 * MINUTE)]),
        (remove, [("removed", 5, 6, T0 + 2 * MINUTE)]),
        (cut, [("cut", 8, 9, T0 + 3 * MINUTE)]),
        (cut_with_heads, [("cut", 5, 9, T0 + 3 * MINUTE), ("head_missing", 2, 3, T0 + 3 * MINUTE)]),
        (rewrite, [("rewritten", 4, 9, T0 + 3 * MINUTE), ("head_replaced", 2, 3, T0 + 3 * MINUTE)]),
        (drop_head, [("head_missing", 2, 2, T0 + 2 * MINUTE)]),
        (forge_head, [("head_forged", 2, 2, None)]),
        (lose_shipped, [("shipped_missing", 2, 2, None)]),
        (erase, [("structure_gone", 1, 9, T0 + 3 * MINUTE)]),
    ],
)
def test_each_way_to_falsify_a_trail_is_named_with_its_place_and_time(
    trail: Trail, attack: Callable[[Trail], None], found: Found
) -> None:
    assert trail.found() == []
    attack(trail)
    assert trail.found() == found


def test_only_heads_elsewhere_show_a_chain_that_was_rewritten_whole(trail: Trail) -> None:
    rewrite(trail)
    assert trail.found(with_shipped=False) == []
    assert trail.found() != []


def test_a_tampered_trail_gets_no_further_head(trail: Trail) -> None:
    record(trail.store, trail.structure, 2)
    with tampering(trail.store, trail.structure, "audit") as db:
        db.execute(sa.update(t.audit).where(t.audit.c.number == 10).values(verb="nothing"))
    with pytest.raises(TrailBroken):
        sign_end(trail.store, trail.structure, KEY, T0 + 4 * MINUTE)
    cut(trail)
    with pytest.raises(TrailBroken):
        sign_end(trail.store, trail.structure, KEY, T0 + 4 * MINUTE)
    assert [h.seq for h in _heads(trail)] == [1, 2, 3]


def _heads(trail: Trail) -> list[KeptHead]:
    with trail.store.unit(trail.structure, writes=False) as unit:
        return unit.audit_heads()


def test_a_line_that_a_crash_cut_comes_again_and_an_absent_folder_catches_up(trail: Trail) -> None:
    (file,) = trail.shipped.iterdir()
    file.write_bytes(file.read_bytes()[:-30])
    assert trail.ship() == 1
    assert trail.found() == []
    away = trail.shipped.rename(trail.shipped.with_name("away"))
    record(trail.store, trail.structure, 1)
    sign_end(trail.store, trail.structure, KEY, T0 + 4 * MINUTE)
    with pytest.raises(NotADirectoryError):
        trail.ship()
    away.rename(trail.shipped)
    assert trail.ship() == 1
    assert len(read_lines(trail.shipped)) == 4


def test_the_database_refuses_to_change_or_remove_a_head(trail: Trail) -> None:
    for statement in (sa.update(t.audit_head).values(number=1), sa.delete(t.audit_head)):
        refused = pytest.raises(sa.exc.DBAPIError, match="append-only")
        with refused, trail.store.unit(trail.structure) as unit:
            unit._connection.execute(statement)


def test_sqlite_puts_nothing_in_the_place_of_a_head(trail: Trail) -> None:
    if trail.store._engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no such statement")
    with trail.store.unit(trail.structure) as unit:
        before = unit._connection.execute(sa.select(t.audit_head)).mappings().all()
        forged = {**before[0], "signed": b"{}"}
        unit._connection.execute(sa.insert(t.audit_head).prefix_with("OR REPLACE").values(forged))
        assert unit._connection.execute(sa.select(t.audit_head)).mappings().all() == before


def test_shipped_heads_are_verified_without_the_server(trail: Trail) -> None:
    lines = read_lines(trail.shipped)
    (alone,) = verify_shipped(lines, PUBLIC)
    assert (alone.shipped, alone.shipped_to, alone.faults) == (3, 9, ())
    (gap,) = verify_shipped([lines[0], lines[2]], PUBLIC)
    assert [(f.what, f.first) for f in gap.faults] == [("head_missing", 2)]
    stranger = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    (forged,) = verify_shipped(lines, [stranger])
    assert [(f.what, f.first, f.last) for f in forged.faults] == [("head_forged", 1, 3)]


def counting(trail: Trail, seq: int, number: int) -> bytes:
    """A head that the key's holder signed over nothing."""
    head = AuditHead(structure=trail.structure, seq=seq, number=number, digest="0", at=T0)
    return sign(KEY, head)


@pytest.mark.timeout(10)
def test_a_head_that_counts_to_the_sky_is_told_in_the_time_of_those_that_are_there(
    trail: Trail,
) -> None:
    far, lines = 2**62, read_lines(trail.shipped)
    (trail.shipped / "planted.jsonl").write_bytes(counting(trail, far, far))
    assert trail.found() == [
        ("cut", 10, far, T0),
        ("head_missing", 4, far, T0),
        ("shipped_missing", 4, far - 1, None),
    ]
    (alone,) = verify_shipped([*lines, counting(trail, far, far)], PUBLIC)
    assert [(f.what, f.first, f.last) for f in alone.faults] == [("head_missing", 4, far - 1)]
    with trail.store.unit(trail.structure) as unit:
        unit.add_audit_head(KeptHead(seq=far, number=far, signed=b'{"head":"","signature":""}'))
    assert ("head_forged", far, far, None) in trail.found(with_shipped=False)


@pytest.mark.parametrize(("seq", "number"), [(2**63, 9), (4, 10**30), (0, 9), (-5, 9), (4, 0)])
def test_a_head_that_counts_to_what_cannot_be_is_no_head(
    trail: Trail, seq: int, number: int
) -> None:
    lines = [*read_lines(trail.shipped), counting(trail, seq, number)]
    for checked in (verify(trail.store, PUBLIC, lines), verify_shipped(lines, PUBLIC)):
        faults = [(f.what, f.first, f.last) for one in checked for f in one.faults]
        assert faults == [("head_forged", 4, 4)]
        assert msgspec.json.encode(checked)


def test_a_chain_of_one_structure_says_nothing_of_another(trail: Trail) -> None:
    other = ensure_structure(trail.store, "Clinique", "s2", T0)
    record(trail.store, other.id, 2)
    sign_end(trail.store, other.id, KEY, T0)
    ship(trail.store, other.id, HeadFolder(trail.shipped))
    change(trail)
    checked = {
        one.name: one.faults for one in verify(trail.store, PUBLIC, read_lines(trail.shipped))
    }
    assert checked["Clinique"] == ()
    assert len(checked["Cabinet"]) == 1


def test_digests_depend_on_every_part_of_an_entry() -> None:
    entry = AuditEntry(number=1, at=T0, actor="a", object="b", verb="c", detail="d")
    others = [
        msgspec.structs.replace(entry, **{name: value})
        for name, value in (
            ("number", 2), ("at", T0 + MINUTE), ("actor", "x"), ("object", "x"), ("verb", "x"),
            ("detail", "x"),
        )
    ]  # fmt: skip
    digests = {digest(one, "") for one in (entry, *others)} | {digest(entry, "p")}
    assert len(digests) == 8


def test_the_command_verifies_shows_and_ends_with_100(tmp_path: Path, capsys) -> None:
    home, away = Home(tmp_path / "home"), tmp_path / "away"
    away.mkdir()
    with running(home.path) as served:
        owner = ensure_structure(served.store, "Cabinet", "s1", T0)
        record(served.store, owner.id, 2)
        sign_end(served.store, owner.id, served.context.key, T0)
        ship(served.store, owner.id, HeadFolder(away))
        words = ["audit", "verify", "--home", str(home.path), "--heads", str(away)]
        assert main.run([*words, "--json"]) == 0  # beside the server that runs
    told = json.loads(capsys.readouterr().out)
    assert (told["whole"], told["keys"]) == (True, [home.public_key().hex()])
    alone = ["--heads-only", "--key", home.public_key().hex(), "--home", "/nowhere"]
    assert main.run(["audit", "verify", "--heads", str(away), *alone]) == 0
    store = make_store(home)
    with tampering(store, owner.id, "audit") as db:
        db.execute(sa.update(t.audit).where(t.audit.c.number == 1).values(actor="x"))
    assert main.run(words) == 100
    assert "NOT WHOLE" in capsys.readouterr().out
    assert main.run(["audit", "show", "--home", str(home.path), "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(e["number"], e["verb"], e["structure"]) for e in shown] == [
        (2, "isolate", "Cabinet"), (1, "isolate", "Cabinet"),
    ]  # fmt: skip
    assert main.run(["audit", "key", "--home", str(home.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"key": home.public_key().hex()}


def test_what_is_not_there_is_not_called_whole(tmp_path: Path, capsys) -> None:
    home = Home(tmp_path / "home")
    assert main.run(["audit", "verify", "--home", str(home.path)]) == 2
    assert not home.path.exists()
    home.make()
    home.signing_key()
    assert main.run(["audit", "verify", "--home", str(home.path)]) == 101
    assert not (home.path / "releve.db").exists()
    make_store(home)
    (empty := tmp_path / "empty").mkdir()
    words = ["audit", "verify", "--home", str(home.path)]
    assert main.run([*words, "--heads", str(empty)]) == 102
    assert main.run([*words, "--heads", str(tmp_path / "absent")]) == 102
    with pytest.raises(HeadsUnreadableError):
        read_lines(empty)


_LOG = """
import socket, sys
from releve.adapters.audit_heads import SystemLog
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
place = SystemLog()
place.add("s1", [(n, line) for n, line in enumerate(sys.stdin.buffer.read().splitlines(), 1)])
print(place.newest("s1"))
for _ in range(3):
    print(log.recv(2000).decode())
"""


@pytest.mark.root
@pytest.mark.need("namespaces")
def test_heads_go_to_the_system_log_and_read_back_from_it(trail: Trail, tmp_path: Path) -> None:
    lines = read_lines(trail.shipped)
    shell = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev && exec "$@"', "sh"]
    said = subprocess.run(
        [*shell, sys.executable, "-c", _LOG], input=b"\n".join(lines), capture_output=True, check=True
    ).stdout  # fmt: skip
    newest, _, log = said.partition(b"\n")
    assert newest == b"3"
    assert log.count(b"releve-audit: ") == 3
    file = tmp_path / "auth.log"
    file.write_bytes(b"Nov 22 01:00:00 srv sshd[1]: Accepted\n" + log)
    assert read_lines(file) == lines
