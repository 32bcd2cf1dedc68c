"""`releve key` from the first word to the last, against a real append-only rest-server."""

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from releve.adapters.restic import tools
from releve.adapters.restic.engine import Restic
from releve.adapters.restic.keys import KeyRing
from releve.apps.backup.state import Config
from releve.apps.cli.main import run
from releve.recover import paper

pytestmark = pytest.mark.restic


@pytest.fixture
def call(state, capsys, monkeypatch):
    def once(*words, typed="", status=0, other=None):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        assert run(["key", *words, "--state", str(other or state.folder), "--json"]) == status
        told = capsys.readouterr()
        return json.loads((told.err if status else told.out).splitlines()[-1])

    return once


def rows_on(html: Path) -> str:
    return "-".join(re.findall(r"<td>([0-9A-Z]{4}-[0-9A-Z]{4})</td>", html.read_text()))


def sheet_in(folder: Path) -> Path:
    return next(iter(sorted(folder.glob("*.html"))))


@pytest.fixture
def printed(call, tmp_path):
    made = call(
        "sheet", "--out", str(tmp_path / "sheet"), "--no-pdf", "--call", "Dr Roy 06 12 34 56 78"
    )
    return made, sheet_in(tmp_path / "sheet")


def test_the_paper_opens_the_repository_without_the_host_and_without_us(
    printed, back_up, state, tmp_path
):
    back_up()
    password, credential = tmp_path / "typed", (state.folder / "http-password").read_text()
    password.write_text(rows_on(printed[1]))
    config = state.config()
    environment = {
        "RESTIC_REPOSITORY": f"rest:{config.url}",
        "RESTIC_REST_USERNAME": config.user,
        "RESTIC_REST_PASSWORD": credential,
        "RESTIC_PASSWORD_FILE": str(password),
    }
    command = [tools.find(tools.RESTIC).path, "--no-cache", "--json", "snapshots"]
    said = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    assert len(json.loads(said.stdout)) == 1


def test_the_sheet_says_where_it_belongs_and_whom_to_call(printed, state):
    made, file = printed
    text = file.read_text()
    assert made["mark"] in text
    assert state.config().url in text
    assert "Dr Roy 06 12 34 56 78" in text
    assert "À 3 heures du matin" in text
    assert "At 3 a.m." in text
    assert "<svg" in text
    assert "<script" not in text
    assert file.stat().st_mode & 0o777 == 0o600
    assert rows_on(file) not in (state.folder / "keys.json").read_text()


def test_trying_the_paper_keeps_a_dated_proof(printed, call, back_up):
    assert call("status")["lacks"] == ["paper_never_tried"]
    back_up()
    proof = call("try", typed=rows_on(printed[1]).lower().replace("-", " "))
    assert proof["event"] == "key_proof"
    assert proof["mark"] == printed[0]["mark"]
    assert proof["snapshots"] == 1
    status = call("status")
    assert status["lacks"] == []
    assert status["offers"] == ["escrow"], "a clean room is nobody's duty"
    assert status["last_proof"]["at"] == proof["at"]
    known = {key["id"] for key in status["keys"]}
    assert proof["key"] in known


def test_what_is_to_be_typed_names_the_folder_it_is_for(printed, call, state, room, capsys):
    capsys.readouterr()
    assert run(["key", "status", "--state", str(state.folder)]) == 0
    told = capsys.readouterr().out
    assert f"key try --state {state.folder}`" in told
    assert "À faire : La clé sur papier n'a jamais été essayée" in told
    assert "Facultatif : une salle propre" in told
    made = call("escrow", "add", "--to", room[0], "--out", str(state.folder / "envelope.json"))
    assert call("status")["offers"] == []
    call("escrow", "revoke", made["id"], "--why", "essai")
    assert "no_escrow" in call("status")["lacks"], "who had one expects it to work"


def test_a_misread_row_is_told_before_anything_is_tried(printed, call, server):
    typed = rows_on(printed[1])
    wrong = typed[:3] + ("2" if typed[3] != "2" else "3") + typed[4:]
    server.stop()  # nothing answers: the checksum alone tells
    said = call("try", typed=wrong, status=3)
    assert "Row 1" in said["message"]
    assert typed not in json.dumps(said)


def test_a_sound_paper_of_another_repository_is_refused(call, tmp_path, state):
    other = paper.password_of(paper.rows_of(bytes(range(20))))
    said = call("try", typed=other, status=4)
    assert paper.mark_of(bytes(range(20))) in said["message"]
    assert "refused" in (state.folder / "keys.log").read_text()


def test_any_two_of_three_shares_open_it_and_one_does_not(call, tmp_path):
    call("sheet", "--out", str(tmp_path / "s"), "--shares", "--no-pdf")
    files = sorted((tmp_path / "s").glob("*.html"))
    assert len(files) == 3
    shares = [" ".join(re.findall(r"<td>([a-z]+)</td>", file.read_text())) for file in files]
    assert {len(share.split()) for share in shares} == {23}
    for pair in ((0, 1), (0, 2), (1, 2)):
        assert call("try", "--shares", typed="\n".join(shares[n] for n in pair))["how"] == "shares"
    call("try", "--shares", typed=shares[0], status=3)
    call("try", "--shares", typed=f"{shares[0]}\n{shares[0]}", status=3)
    misread = shares[1].split()
    misread[5], misread[6] = misread[6], misread[5]
    call("try", "--shares", typed=f"{shares[0]}\n{' '.join(misread)}", status=3)


def test_the_paper_is_tried_from_a_machine_that_knows_nothing(printed, call, state, tmp_path):
    secret = state.folder / "http-password"
    where = ("--url", state.config().url, "--user", "host", "--http-password-file", str(secret))
    proof = call("try", *where, typed=rows_on(printed[1]), other=tmp_path / "elsewhere")
    assert proof["mark"] == printed[0]["mark"]


def test_a_folder_that_holds_a_sheet_already_takes_no_other(printed, call, tmp_path):
    call("sheet", "--out", str(tmp_path / "sheet"), "--no-pdf", status=9)


@pytest.fixture
def room(tmp_path, capsys):
    file = tmp_path / "room.key"
    assert run(["key", "escrow", "pair", "--out", str(file), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert file.stat().st_mode & 0o777 == 0o600
    return made["public"], file


def opened(call, envelope, room_file, tmp_path, status=0, name="out"):
    where = ("--private-key", str(room_file), "--out", str(tmp_path / name), "--why", "essai")
    return call("escrow", "open", str(envelope), *where, other=tmp_path / "room", status=status)


def test_a_drill_key_opens_in_the_clean_room_only(call, room, tmp_path, state):
    envelope = tmp_path / "e.json"
    call("escrow", "add", "--to", room[0], "--out", str(envelope))
    opened(call, envelope, room[1], tmp_path)
    password = tmp_path / "out"
    assert password.stat().st_mode & 0o777 == 0o600
    assert password.read_text() not in envelope.read_text()
    ring = KeyRing(msgspec.structs.replace(state.repository(), password_file=str(password)))
    opened_by = [key.label for key in ring.keys() if key.current]  # noqa: SIM118 (no dict)
    assert opened_by[0].startswith("essai-")
    assert "key:escrow:opened" in (tmp_path / "room" / "keys.log").read_text()
    other = tmp_path / "other.key"
    assert run(["key", "escrow", "pair", "--out", str(other)]) == 0
    opened(call, envelope, other, tmp_path, status=6, name="out2")
    assert not (tmp_path / "out2").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("expires_at", "2099-01-01T00:00:00Z"), ("host", "other"), ("url", "https://x/")],
)
def test_a_changed_envelope_does_not_open(call, room, tmp_path, field, value):
    envelope = tmp_path / "e.json"
    call("escrow", "add", "--to", room[0], "--out", str(envelope))
    changed = json.loads(envelope.read_text()) | {field: value}
    envelope.write_text(json.dumps(changed))
    assert "changed" in opened(call, envelope, room[1], tmp_path, status=6)["message"]


def test_an_expired_or_revoked_envelope_does_not_open(call, room, tmp_path):
    envelope = tmp_path / "e.json"
    call("escrow", "add", "--to", room[0], "--out", str(envelope), "--days", "0")
    assert "expired" in opened(call, envelope, room[1], tmp_path, status=6)["message"]
    made = call("escrow", "add", "--to", room[0])
    call("escrow", "revoke", made["id"], "--why", "fin de contrat", "--out", str(envelope))
    assert "revoked" in opened(call, envelope, room[1], tmp_path, status=6)["message"]
    call("escrow", "revoke", "2020-01-x", "--why", "x", status=6)


def test_after_a_leak_a_new_generation_takes_the_backups_and_the_old_one_still_opens(
    printed, call, back_up, state
):
    old = back_up()
    before, password = state.config(), (state.folder / "password").read_text()
    made = call("rotate", "--why", "PC volé", "--yes")
    assert made["url"].startswith(before.url)
    assert made["url"] != before.url
    assert [one.id for one in state.engine().snapshots()] == []
    assert back_up().snapshot
    assert Path(state.config().password_file).read_text() != password
    call(
        "try", typed=rows_on(printed[1]), status=4
    )  # the leaked generation's paper opens it no more
    assert "no_paper" in call("status")["lacks"]
    kept = state.folder / "generations" / "1" / "config.json"

    past = msgspec.json.decode(kept.read_bytes(), type=Config)
    assert [one.id for one in Restic(state.repository(past)).snapshots()] == [old.snapshot]
    config = state.config()
    where = ["--url", config.url, "--user", "host", "--folder", config.folders[0]]
    secret = ["--http-password-file", str(state.folder / "http-password")]
    assert run(["backup", "setup", *where, *secret, "--state", str(state.folder)]) == 0
    assert state.config().password_file == config.password_file
    again = call("rotate", "--why", "encore", "--yes")
    assert again["generation"] == made["generation"] + "-2"
    assert again["url"].startswith(before.url)


@pytest.mark.parametrize("words", [(), ("--shares",)])
def test_each_sheet_is_one_page_of_a4_that_reads_the_same_as_the_screen(
    words, call, tmp_path, need
):
    need("poppler")
    made = call("sheet", "--out", str(tmp_path / "s"), *words)
    sheets = [Path(file) for file in made["files"] if file.endswith(".pdf")]
    assert len(sheets) == (3 if words else 1)
    for file in sheets:
        assert file.stat().st_mode & 0o777 == 0o600
        told = subprocess.run(["pdfinfo", str(file)], capture_output=True, text=True, check=True)
        assert re.search(r"Pages:\s+1\n", told.stdout)
        assert "A4" in told.stdout
        text = subprocess.run(
            ["pdftotext", "-layout", str(file), "-"], capture_output=True, text=True, check=True
        ).stdout
        assert made["mark"] in text
        shown = re.findall(r"<td>([0-9A-Za-z-]+)</td>", file.with_suffix(".html").read_text())
        assert len(shown) == (23 if words else 6)
        assert all(word in text for word in shown)
        options = ("--url", "--user", "--http-password-file", *words)
        assert all(option in text for option in options), "what is typed is broken by no line's end"


def test_on_a_terminal_a_wrong_row_is_asked_again_and_nothing_is_echoed(printed, state):
    rows = rows_on(printed[1]).split("-")
    rows = ["-".join(rows[at : at + 2]) for at in range(0, len(rows), 2)]
    wrong = rows[1][:-1] + ("2" if rows[1][-1] != "2" else "3")
    command = [sys.executable, "-m", "releve.apps.cli.main", "key", "try", "--state"]
    child, terminal = pty.fork()
    if not child:
        os.execv(sys.executable, [*command, str(state.folder)])
    seen = b""
    for typed, asked in zip(
        [rows[0], wrong, *rows[1:]],
        [1, 2, 2, 3, 4, 5, 6],
        strict=True,
    ):
        prompt = f"Rangée {asked}:".encode()
        while not seen.rstrip(b" ").endswith(prompt):
            seen += os.read(terminal, 4096)
        os.write(terminal, typed.lower().encode() + b"\n")
        seen += b"\n"
    with contextlib.suppress(OSError):  # the terminal closes when the command ends
        while chunk := os.read(terminal, 4096):
            seen += chunk
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    text = seen.decode()
    assert "La rangée 2 ne tombe pas juste" in text
    assert printed[0]["mark"] in text
    assert not [row for row in rows if row.lower() in text.lower()]
