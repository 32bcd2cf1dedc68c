"""Honest work whose content nobody can read, on purpose: sealed mail, safes, containers, backups."""

import hashlib
import os
import shutil
from pathlib import Path

from releve.apps.simulate.honest.desk import copy_in, files, replace, tool
from releve.apps.simulate.honest.tuned import gpg_file

_SECRET = "correct cheval pile agrafe"  # noqa: S105 - of an invented archive


def protect_for_mail(area: Path) -> None:
    """5 documents get a password to be mailed; the originals stay."""
    for path in files(area, ".docx"):
        tool("zip", "-q", "-j", "-P", _SECRET, path.with_suffix(".zip"), path)


def prepare_sealed(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 20)
    for path in files(area, ".txt"):
        gpg_file(path, area)
        path.unlink()
    shutil.rmtree(area / ".gnupg", ignore_errors=True)


def open_sealed(area: Path) -> None:
    """20 sealed messages are opened, the sealed form is removed."""
    home = area / ".gnupg"
    home.mkdir(mode=0o700)
    for path in files(area, ".gpg"):
        words = (
            "gpg",
            "--homedir",
            home,
            "--batch",
            "--quiet",
            "--no-options",
            "--no-symkey-cache",
            "--pinentry-mode",
            "loopback",
        )
        tool(*words, "--passphrase", _SECRET, "--output", path.with_suffix(""), "--decrypt", path)
        path.unlink()


def prepare_vault(area: Path, _share: Path) -> None:
    (area / "mots de passe.kdbx").write_bytes(
        b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5" + os.urandom(24_000)
    )


def save_vault(area: Path) -> None:
    """A password safe is saved 20 times: always new ciphertext."""
    for number in range(20):
        content = b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5" + os.urandom(24_000 + number)
        replace(area / "mots de passe.kdbx", content)


def prepare_container(area: Path, _share: Path) -> None:
    with (area / "coffre.hc").open("wb") as file:
        for _ in range(24):
            file.write(os.urandom(1 << 20))


def use_container(area: Path) -> None:
    """An encrypted container in use: blocks of ciphertext rewritten in place."""
    handle = os.open(area / "coffre.hc", os.O_RDWR)
    for number in range(200):
        os.pwrite(handle, os.urandom(4096), (number * 7919 % 6000) * 4096)
    os.fsync(handle)
    os.close(handle)


def encrypted_backup(area: Path) -> None:
    """A backup repository: 160 packs of ciphertext are written, then 50 are pruned."""
    for number in range(160):
        content = os.urandom(60_000)
        name = hashlib.sha256(content).hexdigest()
        folder = area / "depot/data" / name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        if number == 0:
            (area / "depot/config").write_bytes(os.urandom(155))
    for path in sorted((area / "depot/data").rglob("*/*"))[:50]:
        path.unlink()
