"""Snapshots are judged after each backup, and the plan names the last clean one: real restic."""

import fcntl
import hashlib
import json
import os
import sqlite3
import zipfile

import msgspec
import pytest

from releve.adapters.scan import past
from releve.adapters.scan import rules as scan_rules
from releve.apps.cli.main import run

pytestmark = pytest.mark.restic


def docx(path, text):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("[Content_Types].xml", "<Types/>")
        made.writestr("word/document.xml", f"<w:document>{text}</w:document>")


@pytest.fixture
def letters(share):
    """Twelve letters that read, beside what the share has; the noise of the other tests goes."""
    for path in (share / "lettres [2026]").iterdir():
        path.unlink()
    for number in range(12):
        docx(
            share / "lettres [2026]" / f"lettre $HOME {number} .docx",
            f"Cher confrère {number} " * 200,
        )
    return share / "lettres [2026]"


@pytest.fixture
def call(state, capsys):
    def call(*words):
        capsys.readouterr()
        assert run([*words, "--state", str(state.folder), "--json"]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


def scanned(lines):
    return [line for line in lines if line["event"] == "scanned"]


@pytest.mark.parametrize("crossed", [0, past.PORTION_CROSSED])  # mounted, and restored
@pytest.mark.parametrize("live", [(), ("--no-live",)])
def test_an_encrypted_snapshot_is_bad_and_the_plan_names_the_one_before(
    back_up, letters, call, share, live, crossed, monkeypatch
):
    monkeypatch.setattr(past, "PORTION_CROSSED", crossed)
    first = back_up()
    docx(letters / "nouvelle.docx", "Compte rendu " * 100)
    second = back_up()
    for path in sorted(letters.glob("lettre*.docx")):
        path.with_name(path.name + ".locked").write_bytes(os.urandom(path.stat().st_size + 64))
        path.unlink()
    (share / "compte rendu.txt").write_text("\n".join(f"Ligne {n} : honnête." for n in range(40)))
    third = back_up()
    judged = scanned(call("recover", "scan", *live))
    assert [(s["snapshot"], s["verdict"]) for s in judged] == [
        (first.snapshot, "clean"),
        (second.snapshot, "clean"),
        (third.snapshot, "bad"),
    ]
    (plan,) = call("recover", "plan")
    sets = {one["data_set"]: one for one in plan["sets"]}
    documents = sets[str(share)]
    assert documents["snapshot"] == second.snapshot
    assert documents["refused"][0][0] == third.snapshot
    assert [n["path"] for n in documents["newer"]] == [str(share / "compte rendu.txt")]
    assert sets[str(share / "patients.db")]["snapshot"] == third.snapshot
    assert not list((share.parent / "state" / "scan").iterdir())


def test_what_an_attack_left_destroyed_is_not_clean_because_nothing_else_changed(
    back_up, letters, call, share, capsys, state
):
    """Else the next hourly backup would tell its server of a clean point after the attack."""
    back_up()
    for path in sorted(letters.glob("lettre*.docx")):
        path.with_name(path.name + ".locked").write_bytes(os.urandom(path.stat().st_size + 64))
        path.unlink()
    bad = back_up()
    (share / "compte rendu.txt").write_text("Une ligne honnête.\n" * 40)
    later = back_up()
    judged = scanned(call("recover", "scan"))
    assert [s["verdict"] for s in judged] == ["clean", "bad", "suspect"]
    assert [(name, why["code"]) for name, why in judged[-1]["doubts"]] == [(str(share), "wounds")]
    assert run(["recover", "scan", "--list", "--state", str(state.folder)]) == 0
    shown = capsys.readouterr().out.split(later.snapshot[:8])[1]
    assert "douteuse" in shown.splitlines()[1]
    assert "fichiers encore détruits ou malveillants" in shown
    call("recover", "accept", bad.snapshot[:10], "--by", "Dr Martin", "--reason", "essai")
    back_up()
    assert [s["verdict"] for s in scanned(call("recover", "scan"))] == ["clean"]


def test_a_database_that_lost_its_rows_is_not_clean(back_up, letters, call, share):
    good = back_up()
    with sqlite3.connect(share / "patients.db") as database:
        database.execute("DELETE FROM visit WHERE id > 100")
    database.close()
    back_up()
    judged = scanned(call("recover", "scan"))
    assert [s["verdict"] for s in judged] == ["clean", "suspect"]
    (plan,) = call("recover", "plan")
    sets = {one["data_set"]: one for one in plan["sets"]}
    assert sets[str(share / "patients.db")]["snapshot"] == good.snapshot


def test_a_backup_judges_itself_once_a_scan_was_made(back_up, letters, call, state, capsys):
    back_up()
    call("recover", "scan")
    docx(letters / "nouvelle.docx", "Compte rendu " * 100)
    lines = call("backup", "run")
    assert [s["verdict"] for s in scanned(lines)] == ["clean"]
    for path in letters.glob("*.docx"):
        path.write_bytes(os.urandom(path.stat().st_size))
    assert run(["backup", "run", "--state", str(state.folder), "--json"]) == 30
    said = capsys.readouterr()
    assert scanned(map(json.loads, said.out.splitlines()))[0]["verdict"] == "bad"
    assert json.loads(said.err)["status"] == 30
    assert call("backup", "run", "--no-judge")[-1]["event"] == "backup"


def test_a_file_that_was_laid_back_with_its_old_date_is_not_what_was_backed_up(
    back_up, letters, call
):
    """Size and date are the attacker's to choose: a snapshot of ciphertext was judged by sound files."""
    back_up()
    call("recover", "scan")
    sound = {path: path.read_bytes() for path in letters.glob("lettre*.docx")}
    for path, content in sound.items():
        path.write_bytes(os.urandom(len(content)))
    back_up()
    for path, content in sound.items():
        dated = path.stat()
        path.write_bytes(content)
        os.utime(path, ns=(dated.st_atime_ns, dated.st_mtime_ns))
    assert [s["verdict"] for s in scanned(call("recover", "scan"))] == ["bad"]


SLOW = """
rule slow { strings: $a = "POISON" condition: $a and for all n in (0..9000000000) : (n != filesize + 9000000001) }
"""


def test_a_file_that_no_rule_comes_to_an_end_with_is_unjudged_and_stops_no_other(
    back_up, letters, call, state, monkeypatch
):
    """Else one file of an attacker's had every backup told as failed, and nothing judged any more."""
    monkeypatch.setattr(scan_rules, "_SECONDS", 1)
    back_up()
    call("recover", "scan")
    (state.folder / "yara").mkdir()
    (state.folder / "yara" / "slow.yar").write_text(SLOW)
    (letters / "aaa.txt").write_text("POISON")
    docx(letters / "nouvelle.docx", "Compte rendu " * 100)
    (judged,) = scanned(call("backup", "run"))
    assert (judged["verdict"], judged["files"], judged["waiting"]) == ("unjudged", 2, 0)
    assert judged["judgements"][0]["why"][0]["en"] == "not judged: 1"
    (letters / "aaa.txt").unlink()
    assert [s["verdict"] for s in scanned(call("backup", "run"))] == ["clean"]


def test_no_name_of_a_file_commands_the_terminal_on_which_the_plan_is_read(
    back_up, letters, call, state, share, capsys
):
    back_up()
    (letters / "lettre\x1b]0;repris\x07\n sain.txt").write_text("Une ligne honnête.\n" * 40)
    for path in sorted(letters.glob("lettre*.docx")):
        path.write_bytes(os.urandom(path.stat().st_size))
    back_up()
    call("recover", "scan")
    assert run(["recover", "plan", "--state", str(state.folder)]) == 0
    said = capsys.readouterr().out
    assert "]0;repris" in said
    assert not {"\x1b", "\x07"} & set(said)
    assert not [line for line in said.splitlines() if line.startswith(" sain.txt")]


def test_a_new_indicator_judges_the_past_without_the_vault(back_up, letters, call, share, server):
    tool = share / "outil.bin"
    tool.write_bytes(b"MZ" + b"jamais vu" * 300)
    first = back_up()
    tool.unlink()
    back_up()
    call("recover", "scan")
    server.stop()
    wanted = hashlib.sha256(b"MZ" + b"jamais vu" * 300).hexdigest()
    (hunted,) = call("recover", "hunt", wanted, "--name", "famille")
    assert [found["path"] for found in hunted["found"]] == [str(tool)]
    (plan,) = call("recover", "plan")
    listed = call("recover", "scan", "--list")
    of_share = [j for p in listed for j in p["judgements"] if j["data_set"] == str(share)]
    assert [j["verdict"] for j in of_share] == ["bad", "clean"]
    assert plan["sets"][0]["snapshot"] != first.snapshot


def test_a_person_accepts_what_only_a_person_can(back_up, letters, call, share):
    for number in range(60):
        docx(letters / f"ancienne {number}.docx", f"Archive {number} " * 100)
    back_up()
    for path in letters.glob("ancienne*"):
        path.unlink()
    emptied = back_up()
    assert [s["verdict"] for s in scanned(call("recover", "scan"))] == ["clean", "bad"]
    call("recover", "accept", emptied.snapshot[:10], "--by", "Dr Martin", "--reason", "rangement")
    (plan,) = call("recover", "plan")
    assert plan["sets"][0]["snapshot"] == emptied.snapshot


def test_what_the_time_did_not_suffice_for_is_unjudged_and_comes_first_next_time(
    back_up, letters, call, share
):
    back_up()
    docx(letters / "nouvelle.docx", "Compte rendu " * 100)
    second = back_up()
    call("recover", "scan", "--minutes", "0.0001")
    (plan,) = call("recover", "plan")
    assert all(one["snapshot"] is None for one in plan["sets"])
    judged = scanned(call("recover", "scan"))
    assert judged[-1]["snapshot"] == second.snapshot
    (plan,) = call("recover", "plan")
    assert plan["sets"][0]["snapshot"] == second.snapshot


def test_a_mounted_repository_is_read_where_it_is_mounted(back_up, letters, call, state, tmp_path):
    made = [back_up()]
    for path in letters.glob("*.docx"):
        path.write_bytes(os.urandom(path.stat().st_size))
    made.append(back_up())
    mounted = tmp_path / "monté"
    for one in made:
        for folder in state.engine().snapshots()[0].folders:
            into = mounted / "ids" / one.snapshot[:8] / folder.rpartition("/")[0][1:]
            into.mkdir(parents=True, exist_ok=True)
            state.engine().restore(one.snapshot, folder, str(into), lambda _: None)
    judged = scanned(call("recover", "scan", "--no-live", "--mounted", str(mounted)))
    assert [s["verdict"] for s in judged] == ["clean", "bad"]


def test_a_new_generation_goes_on_from_the_old_one(back_up, letters, call, state, server):
    back_up()
    assert [s["verdict"] for s in scanned(call("recover", "scan"))] == ["clean"]
    min(letters.glob("*.docx")).unlink()
    kept = state.config()
    password = (state.folder / "http-password").read_text()
    state.configure(msgspec.structs.replace(kept, url=kept.url + "2026-12/"), password)
    state.engine().init()
    second = back_up()
    (judged,) = scanned(call("recover", "scan"))
    assert judged["verdict"] == "clean"
    documents = judged["judgements"][0]["totals"]
    assert (documents["present"], documents["removed"]) == (12, 1)
    (plan,) = call("recover", "plan")
    assert plan["sets"][0]["snapshot"] == second.snapshot


def test_two_scans_do_not_run_at_once_and_what_a_killed_one_left_in_clear_goes(
    back_up, letters, call, state
):
    back_up()
    left = state.folder / "scan" / "tmp1" / "r"
    left.mkdir(parents=True)
    (left / "lettre.txt").write_text("en clair")
    with (state.folder / "scan.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(["recover", "scan", "--state", str(state.folder), "--json"]) == 31
    call("recover", "scan")
    assert not left.exists()
