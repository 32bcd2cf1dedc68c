"""A structure leaves: all of it is handed over, none of it stays, the others lose nothing; on both databases."""

import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys
import time
from hashlib import file_digest
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.sql import tables
from releve.adapters.sql.engine import open_engine, sqlite_path
from releve.adapters.sql.leaving import KEYS_ONLY
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.apps.cli.main import run
from releve.apps.server.home import Home
from releve.apps.server.leave_cli import AccountsEndError
from releve.apps.server.leaving import (
    MANIFEST,
    Decided,
    Office,
    erase,
    hand_over,
    write_certificate,
)
from releve.apps.server.opening import make_store
from releve.flow.sealed import is_document, open_
from releve.flow.server import access, signin
from releve.flow.server.certificate import CERTIFICATE
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ports import Structure
from releve.model.access import Role
from releve.model.identity import Provider
from releve.model.leaving import Erasure
from releve.report.leaving import told
from tests.server.test_structures_apart import dump, fill
from tests.server.world import T0

KEY = Ed25519PrivateKey.generate()
WHY = Decided(by="A. Martin", reason="fin de contrat")
SECRETS = ("password_hash", "totp_secret", "recovery_hashes", "token_hash")


def office(store: SqlStore) -> Office:
    return Office(store=store, key=KEY, now=T0)


def found(store: SqlStore, name: str) -> Structure:
    return next(one for one in store.structures() if one.name == name)


def test_everything_is_handed_over_without_a_key_to_any_door(
    store: SqlStore, tmp_path: Path
) -> None:
    host = fill(store, "A")
    fill(store, "B")
    folder = hand_over(office(store), found(store, "A"), tmp_path)
    manifest = msgspec.json.decode(open_(MANIFEST, (folder / "manifest.json").read_bytes()).body)
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == files - {"manifest.json"}
    for name, digest in manifest["files"].items():
        with (folder / name).open("rb") as file:
            assert file_digest(file, "sha256").hexdigest() == digest
    rows = dump(store, host.structure)
    for table in set(rows) - set(KEYS_ONLY):
        lines = (folder / f"tables/{table}.jsonl").read_text().splitlines()
        assert len(lines) == len(rows[table]) == manifest["rows"][table], table
        assert all(json.loads(line)["structure"] == host.structure for line in lines)
    text = "".join(p.read_text() for p in folder.glob("tables/*.jsonl"))
    assert "famille-A" in text
    assert "claire-a" in text
    assert "famille-B" not in text
    assert not [word for word in (*SECRETS, "json://") if word in text]
    assert (folder / "documents/releve.json").read_bytes() == b"A"
    assert list(folder.glob("documents/cnil-initial-*.html"))
    said = (folder / "LISEZMOI.txt").read_text()
    assert re.search(r"- fiches réflexes suivies : \d+ \(tables/playbook_run\.jsonl\)", said)
    assert not any(f"- {table.name} :" in said for table in tables.metadata.sorted_tables)
    assert dump(store, host.structure) == rows


def test_handed_over_twice_within_a_second_lies_in_two_folders(
    store: SqlStore, tmp_path: Path
) -> None:
    fill(store, "A")
    first, second = (hand_over(office(store), found(store, "A"), tmp_path) for _ in range(2))
    assert second.name == f"{first.name}-2"
    assert (first / "manifest.json").exists()
    assert (second / "manifest.json").exists()


def test_none_of_it_stays_and_the_others_lose_nothing(store: SqlStore, tmp_path: Path) -> None:
    mine, theirs = fill(store, "A"), fill(store, "B")
    before, others = dump(store, mine.structure), dump(store, theirs.structure)
    folder = erase(office(store), found(store, "A"), WHY, tmp_path)
    assert store.leavings().wipe()
    left = store.leavings().left(mine.structure)
    assert set(left) == {t.name for t in tables.metadata.sorted_tables} - {
        "attempt",
        "challenge",
        "erasure",
        "mailbox",
        "stray_mail",
        "identity_provider",
    }
    assert not any(left.values())
    assert dump(store, theirs.structure) == others
    assert [one.name for one in store.structures()] == ["B"]
    kept = store.leavings().erasure("A")
    file, page = write_certificate(kept, tmp_path)
    sealed = open_(CERTIFICATE, file.read_bytes())
    made = msgspec.json.decode(sealed.body, type=Erasure)
    assert made.rows == {name: len(rows) for name, rows in before.items()}
    assert min(made.rows.values()) > 0
    assert (made.by, made.reason) == ("A. Martin", "fin de contrat")
    assert is_document(sealed, "effacement.html", page.read_bytes())
    with (folder / "manifest.json").open("rb") as manifest:
        assert made.export == file_digest(manifest, "sha256").hexdigest()


def test_with_a_structure_goes_its_own_identity_service_and_no_other(
    store: SqlStore, tmp_path: Path
) -> None:
    mine, theirs = fill(store, "A"), fill(store, "B")
    for name, structure in (("a", mine.structure), ("b", theirs.structure), ("all", "")):
        store.put_provider(
            Provider(
                name=name, title=name, issuer="https://id.example", discovery="", client_id="c",
                secret="s", scopes=(), structure=structure, added_at=T0,
            )
        )  # fmt: skip
    erase(office(store), found(store, "A"), WHY, tmp_path)
    assert {one.name for one in store.providers()} == {"b", "all"}


def test_append_only_rows_of_those_who_stay_cannot_be_removed(
    store: SqlStore, tmp_path: Path
) -> None:
    fill(store, "A")
    theirs = fill(store, "B")
    erase(office(store), found(store, "A"), WHY, tmp_path)
    for name in ("audit", "audit_head", "vault_head", "help_step", "incident_entry", "statement"):
        table = tables.metadata.tables[name]
        with (
            pytest.raises(sa.exc.DatabaseError, match="append-only"),
            store.unit(theirs.structure) as unit,
        ):
            unit._connection.execute(sa.delete(table))
    for change in (sa.delete(tables.erasure), sa.update(tables.erasure).values(name="x")):
        with (
            pytest.raises(sa.exc.DatabaseError, match="append-only"),
            store.unit(theirs.structure) as unit,
        ):
            unit._connection.execute(change)


def test_a_database_of_before_learns_to_let_go(store: SqlStore, tmp_path: Path) -> None:
    """Its triggers refused every removal."""
    fill(store, "A")
    engine = store._engine
    with engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER audit_delete")
            connection.exec_driver_sql(
                "CREATE TRIGGER audit_delete BEFORE delete ON audit"
                " BEGIN SELECT RAISE(ABORT, 'the audit trail: append-only'); END"
            )
        else:
            connection.exec_driver_sql(
                "CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger AS $$"
                " BEGIN RAISE EXCEPTION 'the audit trail: append-only'; END $$ LANGUAGE plpgsql"
            )
    with pytest.raises(sa.exc.DatabaseError, match="append-only"):
        erase(office(store), found(store, "A"), WHY, tmp_path / "one")
    assert found(store, "A")
    again = SqlStore(open_engine(engine.url.render_as_string(hide_password=False)), Seal(b"k" * 32))
    erase(office(again), found(again, "A"), WHY, tmp_path / "two")
    assert again.structures() == []
    again.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "home")
    place.make()
    return place


def test_from_the_shell_twice_and_no_trace_in_the_file(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(home)
    fill(store, "A", home.signing_key())
    store.close()
    at = ["leave", "--home", str(home.path), "--structure", "A", "--out", str(tmp_path / "out")]
    assert run([*at, "--erase"]) == 2
    words = ["--erase", "--by", "A. Martin", "--reason", "fin", "--json"]
    for _ in range(2):
        assert run([*at, *words]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert (facts["erased"], facts["rows_left"]) == (True, 0)
        assert run(["leave", "--home", str(home.path), "--verify", facts["certificate"]]) == 0
        said = capsys.readouterr().out.splitlines()
        assert (
            said[0] == "A : signature valable : le certificat est celui de ce serveur, ou de --key"
        )
        assert said[1].startswith("  Effacée le : ")
        assert said[2].startswith("  Enregistrements effacés : ")
    assert run([*at, *words[:-1]]) == 0
    said = capsys.readouterr().out
    assert said.startswith("A : effacée, et recomptée\n")
    assert "Enregistrements restés : 0" in said
    wrong = ["leave", "--verify", facts["certificate"], "--key", "ab" * 32]
    assert run([*wrong, "--home", str(home.path)]) == 77
    assert run([*at, "--json"]) == 42
    held = b"".join(p.read_bytes() for p in home.path.glob(f"{sqlite_path(home.path).name}*"))
    assert b"famille-A" not in held
    assert b"claire-a" not in held


def account(store: SqlStore, structure: str, login: str, *elsewhere: tuple[str, Role]) -> None:
    owner = ensure_structure(store, structure, f"s-{structure}", T0)
    made = signin.create_person(store, owner, login, "une phrase assez longue", login, T0)
    assert made is not None
    for there, role in elsewhere:
        with store.unit(ensure_structure(store, there, f"s-{there}", T0).id) as unit:
            access.give(unit, made, role, actor="admin", now=T0)


def test_accounts_that_others_need_are_told_and_end_only_when_it_is_said(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(home)
    account(store, "Clinique", "chef")
    account(store, "Parti", "olga", ("Clinique", Role.OPERATOR))  # her account ended with hers
    at = ["leave", "--home", str(home.path), "--out", str(tmp_path / "out")]
    gone = ["--structure", "Parti", "--erase", "--by", "X", "--reason", "fin", "--end-accounts"]
    assert run([*at, *gone]) == 0
    account(store, "A", "nora", ("Clinique", Role.OPERATOR), ("Clinique B", Role.LEAD))
    account(store, "A", "zoe", ("Clinique B", Role.DPO))
    words = [*at, "--structure", "A", "--erase", "--reason", "fin"]
    capsys.readouterr()
    assert run([*words, "--by", "A. Martin"]) == AccountsEndError.status
    told = capsys.readouterr()
    assert [line.strip() for line in told.err.splitlines()[:6]] == [
        "Comptes qui prennent fin avec elle :",
        "nora  Responsable",
        "aussi Infogérant de : Clinique, et personne d'autre n'y a ce rôle",
        "aussi Responsable de : Clinique B, et personne d'autre n'y a ce rôle",
        "zoe  Responsable",
        "aussi Délégué à la protection des données de : Clinique B",
    ]
    assert "Clinique perd son dernier / loses its last operator; " in told.err
    assert "Clinique B perd son dernier / loses its last lead" in told.err
    assert not list((tmp_path / "out").glob("releve-s-A*")), "nothing is handed over either"
    assert found(store, "A")
    account(store, "Infogérant", "ines", ("Clinique", Role.OPERATOR))
    account(store, "Clinique B", "chef-b")
    assert run([*words, "--by", "Nora"]) == AccountsEndError.status
    assert "the account of nora, who decides, ends too" in capsys.readouterr().err
    assert run([*at, "--structure", "A", "--json"]) == 0, "looking at it is always allowed"
    (nora, zoe) = json.loads(capsys.readouterr().out)["accounts"]
    assert nora["elsewhere"] == [
        {"structure": "Clinique", "role": "operator", "is_last": False},
        {"structure": "Clinique B", "role": "lead", "is_last": False},
    ]
    assert (zoe["login"], zoe["role"]) == ("zoe", "lead")
    assert found(store, "A")
    assert run([*words, "--by", "A. Martin"]) == 0, "nobody loses the last one now"
    capsys.readouterr()
    assert [one.name for one in store.structures() if one.name == "A"] == []


@pytest.mark.parametrize("wait", [0.0, 0.35, 0.6, 0.8, 1.0, 1.3])
def test_killed_in_the_middle_it_is_all_there_or_all_gone(
    home: Home, tmp_path: Path, wait: float, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(home)
    host = fill(store, "A", home.signing_key())
    before = {name: len(rows) for name, rows in dump(store, host.structure).items()}
    store.close()
    words = ["leave", "--home", str(home.path), "--structure", "A", "--out", str(tmp_path / "out")]
    words += ["--erase", "--by", "A", "--reason", "fin", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "releve.apps.cli.main", *words],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    until = time.monotonic() + 30
    while not list((tmp_path / "out").glob(".*.leaving")) and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.005)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.wait()
    store = make_store(home)
    left = store.leavings().left(host.structure)
    is_gone = left.pop("structure") == 0
    assert left == (dict.fromkeys(before, 0) if is_gone else before)
    assert (store.leavings().erasure("A") is not None) == is_gone
    store.close()
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["rows_left"] == 0
    assert not list((tmp_path / "out").glob(".*.leaving"))


def test_the_day_of_the_certificate_is_the_day_of_the_erasure(
    store: SqlStore, tmp_path: Path
) -> None:
    fill(store, "A")
    later = msgspec.structs.replace(office(store), now=T0 + dt.timedelta(days=1))
    erase(later, found(store, "A"), WHY, tmp_path)
    kept = store.leavings().erasure("A")
    assert kept is not None
    assert kept.at == later.now


def test_every_table_of_a_structure_is_told_in_words() -> None:
    own = [table.name for table in tables.metadata.sorted_tables if "structure" in table.c]
    assert len(own) > 40
    assert [name for name in own if told(name) == name] == []
