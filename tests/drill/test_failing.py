"""What is wrong is written as failed, with its reason, and never hidden."""

import json
import shutil

import pytest

from releve.adapters.restic.fingerprints import LIST
from tests.drill.conftest import check

pytestmark = pytest.mark.restic


def kinds(made: dict, name: str) -> list[str]:
    return [reason["kind"] for reason in check(made, name)["reasons"]]


def test_a_database_that_was_emptied_since_the_last_drill_fails(practice):
    practice.back_up()
    assert practice.drill()[0] == 0
    with practice.database() as database:
        database.execute("DELETE FROM visite")
    practice.back_up()
    status, made = practice.drill()
    assert status == 103
    assert made["verdict"] == "failed"
    assert "rows_lost" in kinds(made, "databases")
    assert check(made, "all_local")["outcome"] == "passed"
    assert made["rpo_from"] < made["snapshot_at"], "the RPO counts from the last verified one"


def test_a_database_damaged_in_the_snapshot_fails(practice):
    """Its copy was consistent when it was made, and destroyed before restic read it."""
    practice.back_up()
    (copy,) = (practice.state.folder / "releve-bases").rglob("patients.db")
    copy.write_bytes(copy.read_bytes()[:-4096] + bytes(4096))
    engine = practice.state.engine()
    bases, hashes = (str(practice.state.folder / n) for n in ("releve-bases", "releve-empreintes"))
    engine.backup((str(practice.share), bases, hashes), (), lambda _: None)
    status, made = practice.drill()
    assert status == 103
    assert kinds(made, "databases")[0] == "database_damaged"


def test_a_file_that_is_not_what_the_host_had_a_broken_image_a_changed_witness_fail(practice):
    """The list of hashes is the host's; the snapshot holds something else of the same size and time."""
    image = practice.share / "images" / "1.dcm"
    image.write_bytes(image.read_bytes()[:900])
    (practice.share / ".~zz-sommaire.txt").write_text("chiffré")
    practice.back_up()
    listed = practice.state.folder / "releve-empreintes" / LIST
    lines = [json.loads(line) for line in listed.read_text().splitlines()]
    lines[3][-1] = "0" * 64
    listed.write_text("".join(json.dumps(line) + "\n" for line in lines))
    engine = practice.state.engine()
    bases = str(practice.state.folder / "releve-bases")
    engine.backup((str(practice.share), bases, str(listed.parent)), (), lambda _: None)
    status, made = practice.drill()
    assert status == 103
    assert check(made, "hashes")["bad"] == 1
    assert kinds(made, "hashes") == ["hash_differs"]
    assert "dicom_bad" in kinds(made, "dicom")
    assert kinds(made, "canaries") == ["canary_changed"]
    _, [shown], err = practice.call("show", made["id"], "--names")
    assert lines[3][0] in err, "names are told here on demand"
    assert lines[3][0] not in json.dumps(shown), "and never in the certificate"


def test_a_server_that_is_down_gives_a_failed_certificate(practice):
    practice.back_up()
    practice.server.stop()
    status, made = practice.drill()
    assert status == 103
    assert check(made, "choose")["outcome"] == "failed"
    assert check(made, "all_local")["outcome"] == "not_done"
    assert made["rpo_s"] is None
    assert all(mark["elapsed_s"] is None for mark in made["rto"])


def test_a_room_that_vanished_while_it_was_interrupted_is_said(practice):
    practice.back_up()
    practice.kill_after_steps(2)
    shutil.rmtree(practice.drills / "rooms")
    status, made = practice.drill("--resume")
    assert status == 103
    assert any(r["kind"] == "room_lost" for c in made["checks"] for r in c["reasons"])


def test_a_room_in_the_live_data_is_refused(practice):
    practice.back_up()
    words = ("run", "--state", str(practice.state.folder), "--room", str(practice.share / "x"))
    status, _, err = practice.call(*words)
    assert status == 108, err
