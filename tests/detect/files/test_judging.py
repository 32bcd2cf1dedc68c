"""One file and one data set: what counts as harm, and what people do all day."""

import gzip
import io
import os
import random
import zipfile
import zlib

import pytest

from releve.detect.files import databases, single, whole
from releve.detect.files.kinds import is_active, promised
from releve.detect.files.limits import LIMITS
from releve.detect.files.whole import Background
from releve.detect.ransom.formats import Blob
from releve.model.clean import Change, Facts, How, TableRows, Verdict, Why
from tests.detect.ransom import attacks

CHANCE = random.Random(3)


def text(lines=60):
    words = ("bilan", "patient", "contrôle", "douleur", "dossier", "note", "suite", "avis")
    return "\n".join(" ".join(CHANCE.choices(words, k=9)) for _ in range(lines)).encode()


def docx(**parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("[Content_Types].xml", "<Types/>")
        made.writestr("word/document.xml", b"<w:document>" + text() + b"</w:document>")
        for name, content in parts.items():
            made.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def judged(path, after, before=None, matches=()):
    was = None if before is None else Blob(before)
    return single.judge(path, Blob(after), was, sha256=str(hash(after)), matches=matches)


def sound(path, name="a", **more):
    return Facts(sha256=name, size=500, kind="docx", state="valid", **more)


def noise(name="b", size=500):
    return Facts(sha256=name, size=size, kind="unknown", uniform=1.0, is_opaque=True)


def verdict(changes, **known):
    return whole.judge("/s", changes, Background(**({"present": 200} | known)))


# one file


@pytest.mark.parametrize("name", ["lettre.docx", "lettre.docx.locked", "bilan.txt", "image.dcm"])
def test_noise_under_a_documents_name_is_destroyed(name):
    assert judged(name, os.urandom(9000)).verdict is Verdict.SUSPECT


@pytest.mark.parametrize("name", ["lot.7z", "cle.kdbx", "base.bak", "sans extension", "photo.heic"])
def test_noise_under_a_sealed_or_unknown_name_says_nothing(name):
    assert judged(name, os.urandom(9000)).verdict is Verdict.CLEAN


def test_a_letter_that_became_noise_is_destroyed():
    assert judged("a.docx", os.urandom(3000), docx()).verdict is Verdict.SUSPECT


def test_a_letter_written_again_is_clean():
    assert judged("a.docx", docx(), docx()).verdict is Verdict.CLEAN


def test_a_copy_under_way_is_no_loss():
    content = docx()
    facts = judged("a.docx", content[: len(content) // 2])
    assert facts.verdict is Verdict.CLEAN
    assert facts.why[0].code == "incomplete"


def test_an_updated_program_is_no_loss_though_its_packed_parts_moved():
    old, new = (b"MZ" + text() + zlib.compress(os.urandom(9000)) for _ in range(2))
    assert judged("a.dll", new, old).verdict is Verdict.CLEAN
    assert judged("a.dll", os.urandom(9000), old).verdict is Verdict.SUSPECT


def test_what_a_rule_knows_is_bad_however_sound_it_is():
    why = Why(code="regle", fr="x", en="x")
    facts = judged("a.docx", docx(), matches=(why,))
    assert (facts.verdict, facts.matches) == (Verdict.BAD, ("regle",))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.exe", b""),
        ("a", b"MZ" + bytes(60)),
        ("a", b"#!/bin/sh\n"),
        ("a.docx", docx(word__vbaProject__bin=b"x").replace(b"vbaProject/bin", b"vbaProject.bin")),
        ("a.pdf", b"%PDF-1.4 /OpenAction << /S /JavaScript >>"),
        ("a.rtf", b"{\\rtf1{\\object{\\*\\objdata 01}}}"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "_VBA_PROJECT".encode("utf-16-le")),
    ],
)
def test_what_may_act_is_known_as_such(name, content):
    assert is_active(name, Blob(content))


@pytest.mark.parametrize(
    ("name", "content"), [("a.docx", docx()), ("a.txt", text()), ("a.pdf", b"%PDF-1.4 texte")]
)
def test_a_document_does_not_act(name, content):
    assert not is_active(name, Blob(content))


def test_the_documents_ending_is_seen_under_an_appended_one():
    assert promised("lettre.docx.locked") == ".docx"
    assert promised("lettre.id[AB12].docx") == ".docx"
    assert promised("lettre.kdbx") == ""


# one data set


def test_two_destroyed_files_are_suspect_and_four_are_bad():
    lost = [
        Change(path=f"/s/{n}.txt", how=How.CHANGED, facts=Facts(sha256=str(n), size=9, points=3.0))
        for n in range(4)
    ]
    assert verdict(lost[:2]).verdict is Verdict.SUSPECT
    assert verdict(lost).verdict is Verdict.BAD
    assert set(verdict(lost).wounds) == {c.path for c in lost}


def test_an_original_that_went_for_an_unreadable_file_is_a_pair_by_name():
    old = Change(path="/s/a.docx", how=How.REMOVED, before=sound("/s/a.docx"))
    new = Change(path="/s/a.docx.lck", how=How.ADDED, facts=noise())
    found = verdict([old, new])
    assert found.verdict is Verdict.SUSPECT
    assert set(found.wounds) == {old.path, new.path}


def test_a_made_up_name_is_paired_by_place_and_size():
    old = Change(path="/s/d/a.docx", how=How.REMOVED, before=sound("a"))
    near = Change(path="/s/d/8f3a", how=How.ADDED, facts=noise(size=900))
    far = Change(path="/s/e/8f3a", how=How.ADDED, facts=noise(size=900))
    assert verdict([old, near]).verdict is Verdict.SUSPECT
    assert verdict([old, far]).verdict is Verdict.CLEAN


def test_a_wound_heals_when_the_file_is_sound_again_or_the_bad_one_is_gone():
    back = Change(path="/s/a.docx", how=How.ADDED, facts=sound("a"))
    gone = Change(path="/s/a.docx.lck", how=How.REMOVED, before=noise())
    found = verdict([back, gone], wounds=frozenset({back.path, gone.path, "/s/other"}))
    assert set(found.healed) == {back.path, gone.path}


def moved(count, **more):
    old = [Change(path=f"/s/{n}", how=How.REMOVED, before=sound(n, str(n))) for n in range(count)]
    new = [Change(path=f"/s/x/{n}", how=How.ADDED, facts=sound(n, str(n))) for n in range(count)]
    return old, new


def test_moved_files_are_not_removed_ones():
    old, new = moved(150)
    assert verdict([*old, *new]).verdict is Verdict.CLEAN
    assert verdict(old).verdict is Verdict.BAD
    assert verdict(old[:60]).verdict is Verdict.SUSPECT
    assert verdict(old[:19]).verdict is Verdict.CLEAN


def test_the_first_snapshot_is_judged_by_its_files_alone():
    old, _ = moved(150)
    assert verdict(old, present=0, is_first=True).verdict is Verdict.CLEAN


def test_a_changed_witness_is_bad_and_one_that_goes_with_its_folder_is_not():
    path = "/s/.000-sommaire.docx"
    changed = Change(path=path, how=How.CHANGED, facts=sound("a"))
    gone = Change(path=path, how=How.REMOVED, before=sound("a"))
    assert verdict([changed]).verdict is Verdict.BAD
    assert verdict([gone]).verdict is Verdict.CLEAN


def test_the_witnesses_are_those_that_the_guard_plants():
    from releve.adapters.store import canaries

    assert LIMITS.witnesses == (canaries._FIRST, canaries._LAST)


def test_new_packed_resources_are_honest_and_the_same_ending_on_documents_is_not():
    packed = [Change(path=f"/s/r{n}.pak", how=How.ADDED, facts=noise(str(n))) for n in range(20)]
    assert verdict(packed).verdict is Verdict.CLEAN
    copies = [
        Change(path=f"/s/r{n}.txt.pak", how=How.ADDED, facts=noise(str(n))) for n in range(20)
    ]
    assert verdict(copies).verdict is Verdict.SUSPECT


def test_what_nobody_judged_is_never_clean():
    waiting = Change(path="/s/a", how=How.ADDED)
    assert verdict([waiting]).verdict is Verdict.UNJUDGED


def gone(count, folder="/s", **more):
    return [
        Change(path=f"{folder}/{n}.docx", how=How.REMOVED, before=sound(n, f"o{n}", **more))
        for n in range(count)
    ]


def added(facts, *paths):
    return [Change(path=path, how=How.ADDED, facts=facts) for path in paths]


def codes(changes, **known):
    found = verdict(changes, **known)
    return {why.code: found.verdict for why in found.why}


def test_a_new_ending_on_unreadable_files_is_bad_where_originals_went():
    new = [c for n in range(10) for c in added(noise(f"n{n}"), f"/s/x/{n:04x}.wnry")]
    assert codes([*gone(10), *new])["extension"] is Verdict.BAD
    assert "extension" not in codes([*gone(10), *new], endings=frozenset({".wnry"}))
    assert "extension" not in codes([*gone(10), *new[:9]])


def test_many_unreadable_files_while_originals_went_are_suspect_wherever_they_stand():
    new = [c for n in range(10) for c in added(noise(f"n{n}"), f"/autre/{n:04x}")]
    assert codes([*gone(10), *new]) == {"opaque": Verdict.SUSPECT}
    assert codes([*gone(9), *new]) == {}
    exported = [c for n in range(11) for c in added(sound("e", f"e{n}"), f"/autre/e{n}.docx")]
    assert codes([*gone(10), *new, *exported]) == {}


def rewritten(count, facts):
    return [Change(path=f"/s/{n}.dat", how=How.CHANGED, facts=facts) for n in range(count)]


def test_a_third_of_a_set_rewritten_at_once_is_suspect_unless_it_reads():
    found = verdict(rewritten(60, noise()))
    assert [w.code for w in found.why] == ["rewritten"]
    assert (found.verdict, found.alarmed) == (Verdict.SUSPECT, True)
    assert verdict(rewritten(59, noise())).verdict is Verdict.CLEAN
    assert verdict(rewritten(60, sound("a"))).verdict is Verdict.CLEAN


def test_one_text_in_three_folders_is_a_note_beside_a_loss_and_a_letter_without():
    note = Facts(sha256="n", size=900, kind="text", state="valid")
    notes = added(note, "/s/a/LIRE.txt", "/s/b/LIRE.txt", "/s/c/LIRE.txt")
    lost = [Change(path="/s/a/x", how=How.CHANGED, facts=Facts(sha256="x", size=9, points=3.0))]
    assert codes([*notes, *lost])["note"] is Verdict.BAD
    assert codes(notes) == {}
    assert "note" not in codes([*notes[:2], *lost])
    assert codes([*notes, *gone(20)], present=900)["note"] is Verdict.SUSPECT
    assert codes([*notes, *gone(19)], present=900) == {}


def test_weak_signs_count_when_they_are_many():
    weak = [
        Change(path=f"/s/{n}", how=How.CHANGED, facts=Facts(sha256=str(n), size=9, points=1.5))
        for n in range(8)
    ]
    assert codes(weak) == {"weak": Verdict.SUSPECT}
    assert codes(weak[:7]) == {}


def test_originals_that_went_in_an_attack_are_wounds_and_moved_ones_are_not():
    found = verdict(gone(150))
    assert (set(found.wounds), found.alarmed) == ({c.path for c in gone(150)}, True)
    assert verdict(gone(60)).wounds == ()  # suspect only: a person decides
    known = Facts(sha256="m", size=9, matches=("regle",), verdict=Verdict.BAD)
    assert verdict(added(known, "/s/m.exe")).wounds == ("/s/m.exe",)


def test_nothing_heals_by_becoming_unreadable():
    path = "/s/a.docx"
    for facts, heals in ((noise(), False), (sound("a"), True)):
        change = Change(path=path, how=How.CHANGED, facts=facts)
        assert (path in verdict([change], wounds=frozenset({path})).healed) is heals


def test_a_pair_is_of_one_readable_original_and_one_unreadable_file():
    new = added(noise(size=500), "/s/a.docx.lck")
    sealed = Change(path="/s/a.docx", how=How.REMOVED, before=noise("s"))
    assert verdict([sealed, *new]).verdict is Verdict.CLEAN
    both = [Change(path=p, how=How.REMOVED, before=sound(p, p)) for p in ("/s/a.docx", "/s/a")]
    assert verdict([*both, *new]).wounds == ("/s/a.docx", "/s/a.docx.lck")  # /s/a may be moved


def test_a_witness_that_went_with_its_folder_is_bad_where_originals_became_unreadable():
    witness = Change(path="/s/.~zz-sommaire.txt", how=How.REMOVED, before=sound("w"))
    old = Change(path="/s/a.docx", how=How.REMOVED, before=sound("a"))
    assert codes([witness, old, *added(noise(), "/s/a.docx.lck")])["canary"] is Verdict.BAD
    assert codes([witness, old]) == {}


def test_the_worst_sign_decides_and_stands_first():
    known = Facts(sha256="m", size=9, matches=("regle",), verdict=Verdict.BAD)
    changes = [*rewritten(60, noise()), *added(known, "/s/m.exe"), *added(None, "/s/later")]
    found = verdict(changes)
    assert found.verdict is Verdict.BAD
    assert [w.code for w in found.why] == ["match", "rewritten", "unjudged"]
    waiting = Change(path="/s/a", how=How.CHANGED)
    assert verdict([waiting]).verdict is Verdict.UNJUDGED


def test_a_new_document_that_carries_ciphertext_is_destroyed_and_an_empty_one_says_nothing():
    assert judged("a.txt.gz", b"").verdict is Verdict.CLEAN
    assert judged("a.pdf", b"").why == ()
    for make in (attacks.pdf_of_ciphertext, attacks.gzip_of_ciphertext):
        facts = judged("bilan.pdf", make(text(900)))
        assert (facts.verdict, facts.why[0].code) == (Verdict.SUSPECT, "carrier")
    behind = gzip.compress(b"rien") + os.urandom(60_000)
    assert judged("bilan.pdf", behind).why[0].code == "carrier"


# databases


def rows(**more):
    return TableRows(**({"opens": True, "is_sound": True, "rows": {"visit": 1000}} | more))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (rows(), Verdict.CLEAN),
        (rows(rows={"visit": 900}), Verdict.CLEAN),
        (rows(rows={"visit": 500}), Verdict.SUSPECT),
        (rows(rows={}), Verdict.BAD),
        (rows(is_sound=False), Verdict.BAD),
        (rows(opens=False), Verdict.BAD),
        (rows(sealed=("visit.note (first)",)), Verdict.BAD),
    ],
)
def test_a_database_is_judged_by_its_engine_and_its_rows(now, expected):
    before = rows(legible=("visit.note (first)",))
    assert databases.judge("/s/a.db", now, before).verdict is expected


def test_the_first_state_of_a_database_has_nothing_to_lose():
    assert databases.judge("/s/a.db", rows(rows={}), None).verdict is Verdict.CLEAN


def test_words_are_no_ciphertext_and_its_hex_is():
    assert databases.is_sealed(text()) is False
    assert databases.is_sealed(os.urandom(4000).hex().encode()) is True
    assert databases.is_sealed(os.urandom(4000)) is True
    assert databases.is_sealed(b"court") is None
