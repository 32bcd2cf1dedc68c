"""A structure that is gone is explained by its own certificate and by nothing else; on both databases."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.audit_heads import HeadFolder, read_lines
from releve.adapters.sql import tables as t
from releve.adapters.sql.store import SqlStore
from releve.apps.cli import main
from releve.apps.server.home import Home
from releve.apps.server.leaving import HEADS, Decided, Office, erase, write_certificate
from releve.apps.server.opening import make_store
from releve.flow.sealed import seal
from releve.flow.server.audit import open_line, sign, sign_end
from releve.flow.server.certificate import CERTIFICATE, Certificate, read, read_trusted
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.shipping import ship
from releve.flow.server.verify import Verified, end_of, verify
from releve.model.audit import AuditHead
from releve.model.leaving import Erasure, TrailEnd
from tests.server.test_audit_heads import MINUTE, change, cut_with_heads, lose_shipped, record
from tests.server.test_audit_heads import Trail as Shipped
from tests.server.world import T0

KEY = Ed25519PrivateKey.generate()
PUBLIC = [KEY.public_key().public_bytes_raw()]
WHY = Decided(by="A. Martin", reason="fin de contrat")


class Left(msgspec.Struct, frozen=True):
    """A structure with nine entries under three heads that are shipped, and one that stays."""

    trail: Shipped
    out: Path

    @property
    def store(self) -> SqlStore:
        return self.trail.store

    def end(self) -> TrailEnd:
        with self.store.unit(self.trail.structure, writes=False) as unit:
            return end_of(unit, self.trail.structure, PUBLIC)

    def grow(self, minute: int) -> None:
        record(self.store, self.trail.structure, 3)
        assert sign_end(self.store, self.trail.structure, KEY, T0 + minute * MINUTE)

    def leave(self) -> tuple[Path, bytes]:
        """The export's folder, and the certificate as it is handed out."""
        owner = next(s for s in self.store.structures() if s.id == self.trail.structure)
        office = Office(store=self.store, key=KEY, now=T0 + 10 * MINUTE)
        folder = erase(office, owner, WHY, self.out)
        kept = self.store.leavings().erasure_of(owner.id)
        assert kept is not None
        return folder, write_certificate(kept, self.out)[0].read_bytes()

    def found(
        self, *papers: bytes, heads: Sequence[bytes] = (), keys: Sequence[bytes] = PUBLIC
    ) -> list[Verified]:
        lines = [*read_lines(self.trail.shipped), *heads]
        given = [read_trusted(paper, keys) for paper in papers]
        return [
            one for one in verify(self.store, keys, lines, "", given)
            if one.name != "Reste"
        ]  # fmt: skip

    def faults(
        self, *papers: bytes, heads: Sequence[bytes] = (), keys: Sequence[bytes] = PUBLIC
    ) -> list[tuple[str, str | None]]:
        found = self.found(*papers, heads=heads, keys=keys)
        return [(fault.what, fault.lack) for one in found for fault in one.faults]


@pytest.fixture
def left(store: SqlStore, tmp_path: Path) -> Left:
    owner = ensure_structure(store, "Part", "s1", T0)
    ensure_structure(store, "Reste", "s2", T0)
    (shipped := tmp_path / "elsewhere").mkdir()
    made = Left(Shipped(store, owner.id, shipped), tmp_path / "out")
    for minute in (1, 2, 3):
        made.grow(minute)
    assert made.trail.ship() == 3
    return made


def paper(structure: str, trail: TrailEnd | None, key: Ed25519PrivateKey = KEY) -> bytes:
    """Whatever somebody who has a key can sign."""
    made = Erasure(
        structure=structure, name="Part", by="x", reason="x", at=T0, rows={}, export="", trail=trail
    )
    return seal(CERTIFICATE, msgspec.json.encode(made), {}, key)


def test_its_certificate_explains_it_and_what_the_server_keeps_does_not(left: Left) -> None:
    assert left.faults() == []
    _, certificate = left.leave()
    assert left.store.leavings().erasure_of(left.trail.structure) is not None
    assert left.faults() == [("structure_gone", "none")]
    assert left.faults(certificate) == []
    (gone,) = left.found(certificate)
    assert (gone.structure, gone.name) == (left.trail.structure, "Part")
    assert (gone.shipped, gone.shipped_to) == (3, 9)
    assert gone.left is not None
    assert (gone.left.by, gone.left.reason) == ("A. Martin", "fin de contrat")
    end = read(certificate).made.trail
    assert end is not None
    assert (end.entries, end.faults) == (9, 0)
    assert end.head is not None
    assert (end.head.seq, end.head.number) == (3, 9)


def test_a_certificate_that_another_key_signed_or_somebody_changed_explains_nothing(
    left: Left,
) -> None:
    end = left.end()
    _, certificate = left.leave()
    forged = paper(left.trail.structure, end, Ed25519PrivateKey.generate())
    changed = certificate.replace(b"fin de contrat", b"fin de partie.")
    assert changed != certificate
    for bad in (forged, changed, b"{}", b""):
        assert left.faults(bad) == [("structure_gone", "none"), ("certificate_forged", None)]
    places = [
        fault.first for one in left.found(certificate, forged) for fault in one.faults
    ]  # fmt: skip
    assert places == [2]


def test_a_key_that_is_trusted_for_older_heads_signs_no_certificate_of_newer_ones(
    left: Left,
) -> None:
    former = Ed25519PrivateKey.generate()
    end = left.end()
    left.leave()
    both = [*PUBLIC, former.public_key().public_bytes_raw()]
    stolen = paper(left.trail.structure, end, former)
    assert left.faults(stolen, keys=both) == [("structure_gone", "other_key")]


def test_a_certificate_of_another_structure_explains_nothing(left: Left) -> None:
    owner = ensure_structure(left.store, "Autre", "s3", T0)
    record(left.store, owner.id, 3)
    sign_end(left.store, owner.id, KEY, T0)
    ship(left.store, owner.id, HeadFolder(left.trail.shipped))
    office = Office(store=left.store, key=KEY, now=T0 + 10 * MINUTE)
    erase(office, owner, WHY, left.out)
    kept = left.store.leavings().erasure_of(owner.id)
    assert kept is not None
    left.leave()
    found = {one.structure: one for one in left.found(kept.certificate)}
    assert found[owner.id].faults == ()
    (gone,) = found[left.trail.structure].faults
    assert (gone.what, gone.lack) == ("structure_gone", "none")


def test_a_certificate_does_not_cover_what_came_after_it(left: Left) -> None:
    """It left, an older backup brought it back, the trail went on, and then somebody deleted it."""
    before = paper(left.trail.structure, left.end())
    left.grow(4)
    left.trail.ship()
    left.leave()
    assert left.faults(before) == [("structure_gone", "older")]
    headless = msgspec.structs.replace(_end(before), head=None)
    assert left.faults(paper(left.trail.structure, headless)) == [("structure_gone", "older")]


def test_a_head_that_the_server_signed_after_the_certificate_is_seen(left: Left) -> None:
    _, certificate = left.leave()
    later = AuditHead(
        structure=left.trail.structure, seq=4, number=12, digest="0" * 64, at=T0 + 20 * MINUTE
    )
    HeadFolder(left.trail.shipped).add(left.trail.structure, [(4, sign(KEY, later))])
    assert left.faults(certificate) == [("structure_gone", "older")]


def _end(certificate: bytes) -> TrailEnd:
    end = read(certificate).made.trail
    assert end is not None
    return end


def test_heads_that_were_not_shipped_any_more_are_in_what_was_handed_over(left: Left) -> None:
    left.grow(4)
    folder, certificate = left.leave()
    assert left.faults(certificate) == [("structure_gone", "newer")]
    handed_over = read_lines(folder / HEADS)
    assert len(handed_over) == 4
    assert left.faults(certificate, heads=handed_over) == []


def test_a_gap_among_the_heads_is_told_although_the_structure_left(left: Left) -> None:
    folder, certificate = left.leave()
    lose_shipped(left.trail)
    assert left.faults(certificate) == [
        ("structure_gone", "incomplete"), ("shipped_missing", None),
    ]  # fmt: skip
    assert left.faults(certificate, heads=read_lines(folder / HEADS)) == []


def test_leaving_hides_no_chain_that_was_rewritten_before(left: Left) -> None:
    """By who owns the database: the end cut with its heads, and the server went on and left."""
    cut_with_heads(left.trail)
    for minute in (5, 6, 7):
        left.grow(minute)
    left.trail.ship()
    heads = [open_line(line, PUBLIC) for line in read_lines(left.trail.shipped)]
    assert [head.number for head in heads if head] == [3, 6, 9, 13]
    folder, certificate = left.leave()
    assert _end(certificate).faults == 0
    assert left.faults(certificate) == [("structure_gone", "other")]
    with_ours = left.faults(certificate, heads=read_lines(folder / HEADS))
    assert with_ours == [("structure_gone", "other"), ("head_replaced", None)]


def test_a_trail_that_was_not_whole_is_not_washed_by_leaving(left: Left) -> None:
    change(left.trail)
    _, certificate = left.leave()
    assert _end(certificate).faults == 1
    assert left.faults(certificate) == [("structure_gone", "not_whole")]


def test_a_certificate_of_before_says_nothing_of_the_trail(left: Left) -> None:
    left.leave()
    assert left.faults(paper(left.trail.structure, None)) == [("structure_gone", "silent")]


def test_one_certificate_that_fits_is_enough_among_others(left: Left) -> None:
    old = paper(left.trail.structure, None)
    _, certificate = left.leave()
    assert left.faults(old, certificate) == []
    assert left.faults(certificate, old) == []


def test_a_certificate_is_read_back_as_it_was_made(left: Left) -> None:
    _, certificate = left.leave()
    found = read_trusted(certificate, PUBLIC)
    assert isinstance(found, Certificate)
    assert found.public_key == PUBLIC[0].hex()
    assert found.made.form == 2


def test_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, away, out = Home(tmp_path / "home"), tmp_path / "away", tmp_path / "out"
    away.mkdir()
    store = make_store(home)
    for name in ("Part", "Aussi"):
        owner = ensure_structure(store, name, name, T0)
        record(store, owner.id, 2)
        sign_end(store, owner.id, home.signing_key(), T0)
        ship(store, owner.id, HeadFolder(away))
    store.close()
    at = ["--home", str(home.path)]
    papers = []
    for name in ("Part", "Aussi"):
        why = ["--erase", "--by", "A. Martin", "--reason", "fin", "--json"]
        assert main.run(["leave", *at, "--structure", name, "--out", str(out), *why]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["trail_faults"] == 0
        papers.append(told["certificate"])
    words = ["audit", "verify", *at, "--heads", str(away)]
    assert main.run([*words, "--left", str(out)]) == 0
    said = capsys.readouterr().out
    assert "décidé par A. Martin (fin) : certificat valable" in said
    assert "NOT WHOLE" not in said
    assert main.run([*words, "--left", papers[0], "--left", papers[1], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["whole"], told["certificates"]) == (True, papers)
    assert {one["left"]["name"] for one in told["structures"]} == {"Part", "Aussi"}
    assert main.run([*words, "--left", papers[0]]) == 100
    captured = capsys.readouterr()
    assert "aucun certificat d'effacement donné" in captured.out
    assert "the certificate of erasure (effacement.json) that fits is missing" in captured.err
    assert "it was Aussi, left on" in captured.err
    Path(papers[1]).write_bytes(Path(papers[0]).read_bytes()[:-9])
    assert main.run([*words, "--left", papers[0], "--left", papers[1]]) == 100
    assert f"{papers[1]}  certificat que la clé n'a pas signé" in capsys.readouterr().out
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main.run([*words, "--left", str(empty)]) == 2
    assert main.run(["audit", "verify", *at, "--left", papers[0]]) == 2


def test_without_any_record_of_a_leaving_the_server_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, away = Home(tmp_path / "home"), tmp_path / "away"
    away.mkdir()
    store = make_store(home)
    owner = ensure_structure(store, "Part", "s1", T0)
    record(store, owner.id, 2)
    sign_end(store, owner.id, home.signing_key(), T0)
    ship(store, owner.id, HeadFolder(away))
    with store.unit(owner.id) as unit:
        for name in ("audit", "audit_head"):
            unit._connection.exec_driver_sql(f"DROP TRIGGER {name}_delete")
        for table in (t.audit, t.audit_head):
            unit._connection.execute(sa.delete(table))
        unit._connection.execute(sa.delete(t.structure).where(t.structure.c.id == owner.id))
    store.close()
    assert main.run(["audit", "verify", "--home", str(home.path), "--heads", str(away)]) == 100
    said = capsys.readouterr().err
    assert f"Of {owner.id} the certificate of erasure" in said
    assert "nothing says that the structure left" in said
