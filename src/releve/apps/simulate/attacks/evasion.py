# ruff: noqa: E501 - the list of rows and the command lines read better whole
"""Attacks that hide who writes, how fast, or what was written."""

import gzip
import os
import time
from pathlib import Path

from releve.apps.simulate.attacks.inplace import write_over
from releve.apps.simulate.attacks.uring import Ring
from releve.apps.simulate.corpus import dicom, documents
from releve.apps.simulate.field import Field
from releve.apps.simulate.profile import Profile

_EDITS = 18
_SETTLE_SECONDS = 3.0  # older than the window: these edits must survive


def _spoil(field: Field, path: Path) -> None:
    content = field.encrypt(path.read_bytes(), str(path))
    field.destroying(path)
    write_over(path, content)


def fork_per_file(field: Field) -> None:
    """One process per file, each child of the same parent."""
    field.key()
    for path in field.writable():
        child = os.fork()
        if child == 0:
            _spoil(field, path)
            os._exit(0)
        os.waitpid(child, 0)


def orphan_per_file(field: Field) -> None:
    """One orphan per file: double fork and setsid, the parent is gone before the write."""
    field.key()
    for path in field.writable():
        child = os.fork()
        if child == 0:
            if os.fork() == 0:
                os.setsid()
                time.sleep(0.002)
                _spoil(field, path)
            os._exit(0)
        os.waitpid(child, 0)
        time.sleep(0.005)


def slow(field: Field) -> None:
    """One file a second."""
    for path in field.writable():
        _spoil(field, path)
        time.sleep(1)


def fork_burst(field: Field) -> None:
    """Thousands of short processes before and between: the lineage channel and the pids overflow."""
    field.key()
    for number, path in enumerate(field.writable()):
        for _ in range(40 if number < 60 else 5):
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        child = os.fork()
        if child == 0:
            _spoil(field, path)
            os._exit(0)
        os.waitpid(child, 0)


def fake_gzip(field: Field) -> None:
    """A gzip header in front of ciphertext."""
    for path in field.writable():
        content = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + field.encrypt(
            path.read_bytes(), str(path)
        )
        field.destroying(path)
        path.write_bytes(content)


def real_gzip(field: Field) -> None:
    """A valid gzip whose content is ciphertext."""
    for path in field.writable():
        content = gzip.compress(field.encrypt(path.read_bytes(), str(path)), 1)
        made = path.with_name(path.name + ".gz")
        made.write_bytes(content)
        field.destroying(path)
        path.unlink()


def png_carrier(field: Field) -> None:
    """A valid PNG whose pixels are ciphertext."""
    width = 512
    for path in field.writable():
        cipher = field.encrypt(path.read_bytes(), str(path))
        cipher += bytes(-len(cipher) % width)
        field.destroying(path)
        path.write_bytes(documents.png(cipher, width))


def dicom_carrier(field: Field) -> None:
    """A valid DICOM image whose pixels are ciphertext."""
    for path in field.writable():
        cipher = field.encrypt(path.read_bytes(), str(path))
        body = dicom.element(0x7FE0, 0x10, b"OW", cipher)
        field.destroying(path)
        path.write_bytes(dicom.part10(dicom.EXPLICIT, "2.25.7", body))


def edits_then_attack(field: Field) -> None:
    """18 honest edits, then the attack on the same files by the same process."""
    victims = [path for path in field.writable() if path.suffix in {".txt", ".csv", ".html"}][
        :_EDITS
    ]
    for number, path in enumerate(victims):
        content = path.read_bytes() + f"\nAjout du {number + 1} mars.\n".encode()
        path.write_bytes(content)
        field.saved(path, content)
        time.sleep(0.05)
    time.sleep(_SETTLE_SECONDS)
    for path in victims:
        _spoil(field, path)
    for path in field.writable():
        if path not in victims:
            _spoil(field, path)


def io_uring(field: Field) -> None:
    """Writes queued through io_uring: no write system call is made."""
    ring = Ring()
    for path in field.writable():
        content = field.encrypt(path.read_bytes(), str(path))
        handle = os.open(path, os.O_WRONLY)
        field.destroying(path)
        ring.write(handle, content)
        os.close(handle)


PROFILES: tuple[Profile, ...] = (
    Profile(name="fork-per-file", kind="evasion", title="un processus par fichier", title_en="one process per file", act=fork_per_file),
    Profile(name="orphans", kind="evasion", title="un orphelin par fichier", title_en="one orphan per file", act=orphan_per_file),
    Profile(name="slow", kind="evasion", title="un fichier par seconde", title_en="one file a second", act=slow, limit=40, seconds=60.0),
    Profile(name="fork-burst", kind="evasion", title="rafale de processus", title_en="fork burst", act=fork_burst),
    Profile(name="fake-gzip", kind="evasion", title="faux en-tête gzip", title_en="fake gzip header", act=fake_gzip),
    Profile(name="real-gzip", kind="evasion", title="vrai gzip de données chiffrées", title_en="real gzip of ciphertext", act=real_gzip),
    Profile(name="png-carrier", kind="evasion", title="PNG valide qui porte du chiffré", title_en="PNG carrier", act=png_carrier),
    Profile(name="dicom-carrier", kind="evasion", title="DICOM valide qui porte du chiffré", title_en="DICOM carrier", act=dicom_carrier),
    Profile(name="edits-then-attack", kind="evasion", title="18 vraies retouches, puis l'attaque", title_en="18 honest edits, then attack", act=edits_then_attack),
    Profile(name="io-uring", kind="evasion", title="écritures par io_uring", title_en="io_uring", act=io_uring),
)  # fmt: skip
