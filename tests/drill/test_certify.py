"""Certificates: of restores that others made, and what a signature is worth."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys

import pytest

from tests.drill.conftest import RELEVE, check, fill

REFERENT = ("--referent", "Anne Roy", "--role", "Cadre de santé")


@pytest.fixture
def call(tmp_path):
    drills = tmp_path / "drills"

    def run(*words: str) -> tuple[int, list[dict], str]:
        done = subprocess.run(
            [*RELEVE, "drill", *map(str, words), "--drills", str(drills), "--json"],
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    run.folder = drills / "certificates"
    return run


@pytest.fixture
def restored(tmp_path):
    fill(tmp_path / "restored")
    return tmp_path / "restored"


@pytest.fixture
def manifest(tmp_path, restored):
    """As `sha256sum` wrote it on the old machine, under its old path."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  /srv/ancien/{path.relative_to(restored)}\n"
        for path in sorted(restored.rglob("*")) if path.is_file()
    ]  # fmt: skip
    file = tmp_path / "avant.sha256"
    file.write_text("".join(lines))
    return file


def test_a_restore_by_another_product_is_certified_with_its_referent(call, restored, manifest):
    before = sorted((p, p.stat().st_mtime_ns) for p in restored.rglob("*"))
    words = (restored, *REFERENT, "--manifest", manifest, "--product", "Veeam 13", "--production")
    status, told, err = call("certify", *words)
    assert status == 0, err
    made = told[-1]["certificate"]
    assert made["kind"] == "certify"
    assert made["referent"] == {"name": "Anne Roy", "role": "Cadre de santé", "in_production": True}
    assert made["place"]["engine"] == "Veeam 13"
    assert check(made, "hashes")["counted"] == 35
    assert check(made, "dicom")["counted"] == 4
    assert check(made, "databases")["parts"][0]["rows"] == 200
    assert made["rto"] == [], "nobody measured how long it took"
    assert sorted((p, p.stat().st_mtime_ns) for p in restored.rglob("*")) == before
    page = (call.folder / f"{made['id']}.fr.html").read_text()
    assert "Anne Roy, Cadre de santé" in page
    assert "CaRE" in page
    assert "14\u00a0mars 2026" in page.replace(" mars", "\u00a0mars").replace(
        "\u00a0\u00a0", "\u00a0"
    )


def test_what_is_missing_or_different_is_not_certified(call, restored, manifest):
    (restored / "lettres" / "CR 3.txt").unlink()
    (restored / "lettres" / "CR 4.txt").write_bytes(b"other")
    status, told, _ = call("certify", restored, *REFERENT, "--manifest", manifest)
    assert status == 103
    hashes = check(told[-1]["certificate"], "hashes")
    assert (hashes["outcome"], hashes["bad"], hashes["counted"]) == ("failed", 2, 35)


def test_an_empty_database_and_a_folder_without_images_are_not_certified(call, restored):
    empty = restored / "vide.db"
    with sqlite3.connect(empty) as database:
        database.execute("CREATE TABLE patient (id INTEGER)")
    database.close()
    words = (restored, *REFERENT, "--database", empty, "--dicom", restored / "lettres")
    status, told, _ = call("certify", *words)
    made = told[-1]["certificate"]
    assert status == 103
    assert {r["kind"] for r in check(made, "databases")["reasons"]} >= {"all_empty"}
    assert [r["kind"] for r in check(made, "dicom")["reasons"]] == ["no_image"]


def test_without_a_list_of_hashes_it_says_that_nothing_was_compared(call, restored):
    status, told, _ = call("certify", restored, *REFERENT)
    assert status == 0
    hashes = check(told[-1]["certificate"], "hashes")
    assert (hashes["outcome"], hashes["reasons"][0]["kind"]) == ("absent", "no_manifest")


def test_a_place_that_is_not_there_is_refused(call, tmp_path):
    status, _, err = call("certify", tmp_path / "rien", *REFERENT)
    assert status == 109, err


def test_every_form_of_a_certificate_is_verified_and_no_change_passes(call, restored, tmp_path):
    _, told, _ = call("certify", restored, *REFERENT)
    name = told[-1]["certificate"]["id"]
    forms = sorted(path.name for path in call.folder.iterdir())
    assert forms == [f"{name}.{end}" for end in ("en.html", "en.pdf", "fr.html", "fr.pdf", "json")]
    for form in forms:
        assert call("verify", call.folder / form)[0] == 0

    signed = json.loads((call.folder / f"{name}.json").read_text())
    (call.folder / f"{name}.json").write_text(json.dumps(signed, indent=7))
    assert call("verify", call.folder / f"{name}.json")[0] == 0, "formatted anew"

    altered = tmp_path / "altered"
    shutil.copytree(call.folder, altered)
    page = altered / f"{name}.fr.html"
    page.write_text(page.read_text().replace("Anne Roy", "Jean Roy"))
    assert call("verify", page)[0] == 106
    signed["certificate"]["files"] += 1
    (altered / f"{name}.json").write_text(json.dumps(signed))
    assert call("verify", altered / f"{name}.json")[0] == 106
    (altered / f"{name}.json").unlink()
    assert call("verify", altered / f"{name}.fr.pdf")[0] == 106


def test_another_machines_certificate_needs_its_key_named(call, restored, tmp_path):
    _, told, _ = call("certify", restored, *REFERENT)
    file = call.folder / f"{told[-1]['certificate']['id']}.json"
    elsewhere = [sys.executable, "-m", "releve.apps.cli.main", "drill", "verify", str(file)]
    elsewhere += ["--drills", str(tmp_path / "other")]
    unknown = subprocess.run(elsewhere, capture_output=True, text=True, timeout=60, check=False)
    assert unknown.returncode == 107, unknown.stderr
    key = json.loads(file.read_text())["public_key"]
    known = subprocess.run([*elsewhere, "--key", key], capture_output=True, timeout=60, check=False)
    assert known.returncode == 0
