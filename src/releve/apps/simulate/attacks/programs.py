# ruff: noqa: E501 - the list of rows and the command lines read better whole
"""Attacks with the encryptors that attackers find on a machine: the real programs, file by file."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from releve.apps.simulate.field import Field
from releve.apps.simulate.profile import Act, Profile


def call(words: Sequence[str | Path], field: Field, *, stdin: bytes = b"") -> bool:
    """Run one program quietly; False if it refused (a file that this user may not read)."""
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(field.work),
        "GNUPGHOME": str(field.work / "gnupg"),
        "LC_ALL": "C.UTF-8",
        "SECRET": field.key().hex(),
    }
    done = subprocess.run(
        list(words), input=stdin, capture_output=True, check=False, env=environment, cwd=field.work
    )
    return done.returncode == 0


def remove(path: Path, field: Field) -> None:
    """`rm` the original, as the scripts of real intruders do."""
    field.destroying(path)
    call(["rm", "-f", "--", path], field)


def gpg(field: Field) -> None:
    for path in field.victims():
        made = path.with_name(path.name + ".gpg")
        words: list[str | Path] = [
            "gpg", "--batch", "--yes", "--quiet", "--no-options", "--no-symkey-cache", "--pinentry-mode", "loopback",
            "--passphrase-fd", "0", "--s2k-count", "1024", "--compress-algo", "none",
            "--symmetric", "--cipher-algo", "AES256", "--output", made, path,
        ]  # fmt: skip
        if call(words, field, stdin=field.key().hex().encode()):
            remove(path, field)


def _openssl(path: Path, made: Path, field: Field) -> bool:
    words: list[str | Path] = ["openssl", "enc", "-aes-256-ctr", "-pbkdf2", "-iter", "1", "-pass", "env:SECRET", "-in", path, "-out", made]  # fmt: skip
    return call(words, field)


def openssl_remove(field: Field) -> None:
    for path in field.victims():
        if _openssl(path, path.with_name(path.name + ".enc"), field):
            remove(path, field)


def openssl_over(field: Field) -> None:
    for path in field.victims():
        made = path.with_name(path.name + ".tmp")
        if _openssl(path, made, field):
            field.destroying(path)
            call(["mv", "-f", "--", made, path], field)


def seven_zip(field: Field) -> None:
    secret = "-p" + field.key().hex()
    for path in field.victims():
        field.destroying(path)
        made = path.with_name(path.name + ".7z")
        call(["7z", "a", secret, "-mhe=on", "-mx=0", "-sdel", "-bd", "-y", made, path], field)


def zip_move(field: Field) -> None:
    secret = field.key().hex()
    for path in field.victims():
        field.destroying(path)
        call(
            ["zip", "-q", "-m", "-j", "-0", "-P", secret, path.with_name(path.name + ".zip"), path],
            field,
        )


def ccrypt(field: Field) -> None:
    for path in field.writable():
        field.destroying(path)
        call(["ccrypt", "--encrypt", "--force", "--envvar", "SECRET", path], field)


def ccrypt_recursive(field: Field) -> None:
    """One process for the whole tree: it keeps no log, the guard's count is the one that is left."""
    folders = sorted(entry for entry in field.share.iterdir() if entry.is_dir())
    call(["ccrypt", "--encrypt", "--force", "--recursive", "--envvar", "SECRET", *folders], field)


def age(field: Field) -> None:
    keys = field.keys / "age.txt"
    if not keys.exists():
        call(["age-keygen", "-o", keys], field)
    public = next(
        line.rsplit(" ", 1)[1] for line in keys.read_text().splitlines() if "public key" in line
    )
    for path in field.victims():
        if call(["age", "-r", public, "-o", path.with_name(path.name + ".age"), path], field):
            remove(path, field)


def one_archive(field: Field) -> None:
    """The whole tree into one encrypted archive outside, then every original deleted."""
    made = field.work / "butin.7z"
    secret = "-p" + field.key().hex()
    folders = sorted(entry for entry in field.share.iterdir() if entry.is_dir())
    call(["7z", "a", secret, "-mhe=on", "-mx=0", "-bd", "-y", made, *folders], field)
    for path in list(field.victims()):
        field.destroying(path)
        path.unlink(missing_ok=True)


def _row(name: str, title: str, title_en: str, act: Act, *needs: str) -> Profile:
    return Profile(
        name=name, kind="encryptor", title=title, title_en=title_en, act=act, needs=needs
    )  # fmt: skip


PROFILES: tuple[Profile, ...] = (
    _row("gpg-rm", "gpg -c, puis rm", "gpg -c, then rm", gpg, "gpg"),
    _row("openssl-rm", "openssl enc, puis rm", "openssl enc, then rm", openssl_remove, "openssl"),
    _row("openssl-mv", "openssl enc, puis mv par-dessus", "openssl enc, then mv over", openssl_over, "openssl"),
    _row("7z-sdel", "7z chiffré, fichier par fichier", "7z -p -mhe -sdel per file", seven_zip, "7z"),
    _row("zip-move", "zip -m chiffré, fichier par fichier", "zip -m -P per file", zip_move, "zip"),
    _row("ccrypt", "ccrypt, fichier par fichier", "ccrypt per file", ccrypt, "ccrypt"),
    _row("ccrypt-r", "ccrypt -r, tout l'arbre", "ccrypt -r, whole tree", ccrypt_recursive, "ccrypt"),
    _row("age-rm", "age, puis rm", "age, then rm", age, "age", "age-keygen"),
    _row("7z-tree", "tout dans un 7z, puis tout effacer", "whole tree into one 7z, then delete", one_archive, "7z"),
)  # fmt: skip
