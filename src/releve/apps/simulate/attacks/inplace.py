"""Encryptors that write themselves: every way a program can replace what a file holds."""

import base64
import ctypes
import mmap
import os
import time
from pathlib import Path

from releve.apps.simulate.field import Field
from releve.apps.simulate.profile import Act, Profile

BLOCK = 4096
_HELD_SECONDS = 8.0  # kept open or mapped that long: the guard's slow walk passes every 2 s


def write_over(path: Path, content: bytes) -> None:
    """Write in place without truncating, and close."""
    handle = os.open(path, os.O_WRONLY)
    os.write(handle, content)
    os.close(handle)


def in_place(field: Field) -> None:
    for path in field.writable():
        content = field.encrypt(path.read_bytes(), str(path))
        field.destroying(path)
        write_over(path, content)


def in_place_fast(field: Field) -> None:
    """Nothing but read, XOR, write: as fast as one process can destroy."""
    victims = list(field.writable())
    field.encrypt_fast(bytes(8 << 20))
    for path in victims:
        handle = os.open(path, os.O_RDWR)
        content = field.encrypt_fast(os.read(handle, 8 << 20))
        field.destroying(path)
        os.pwrite(handle, content, 0)
        os.close(handle)


def truncate_write(field: Field) -> None:
    for path in field.writable():
        content = field.encrypt(path.read_bytes(), str(path))
        field.destroying(path)
        path.write_bytes(content)


def new_unlink(field: Field) -> None:
    for path in field.victims():
        if not os.access(path, os.R_OK):
            continue
        path.with_name(path.name + ".locked").write_bytes(
            field.encrypt(path.read_bytes(), str(path))
        )
        field.destroying(path)
        path.unlink()


def rename_over(field: Field) -> None:
    for path in field.victims():
        if not os.access(path, os.R_OK):
            continue
        made = path.with_name("~" + path.name[:200])
        made.write_bytes(field.encrypt(path.read_bytes(), str(path)))
        field.destroying(path)
        made.replace(path)


def move_out_and_back(field: Field) -> None:
    """Each file goes out of the share, is encrypted there, and comes back: no write inside."""
    outside = field.share.parent / "dehors"
    for number, path in enumerate(field.writable()):
        away = outside / f"{number}"
        field.destroying(path)
        path.replace(away)
        away.write_bytes(field.encrypt(away.read_bytes(), str(path)))
        away.replace(path)


def intermittent(field: Field) -> None:
    for path in field.writable():
        content = bytearray(path.read_bytes())
        cipher = field.encrypt(bytes(content), str(path))
        for at in range(0, len(content), 2 * BLOCK):
            content[at : at + BLOCK] = cipher[at : at + BLOCK]
        field.destroying(path)
        write_over(path, bytes(content))


def header_kept(field: Field) -> None:
    for path in field.writable():
        content = path.read_bytes()
        if len(content) <= BLOCK:
            continue
        field.destroying(path)
        write_over(path, content[:BLOCK] + field.encrypt(content, str(path))[BLOCK:])


def five_percent(field: Field) -> None:
    for path in field.writable():
        content = path.read_bytes()
        start, length = len(content) * 48 // 100, max(16, len(content) // 20)
        handle = os.open(path, os.O_WRONLY)
        field.destroying(path)
        os.pwrite(handle, field.encrypt(content, str(path))[start : start + length], start)
        os.close(handle)


def base64_output(field: Field) -> None:
    for path in field.writable():
        content = base64.encodebytes(field.encrypt(path.read_bytes(), str(path)))
        field.destroying(path)
        path.write_bytes(content)


def mapped(field: Field) -> None:
    """Through memory, the descriptor closed, the mapping left open: no event until the process ends."""
    kept = []
    for path in field.writable():
        content = field.encrypt(path.read_bytes(), str(path))
        handle = os.open(path, os.O_RDWR)
        area = mmap.mmap(handle, len(content))
        os.close(handle)
        field.destroying(path)
        area[:] = content
        area.flush()
        kept.append(area)
    time.sleep(_HELD_SECONDS)


def mapped_then_protected(field: Field) -> None:
    """Mapped shared for reading only, then mprotect to writable: the mapping itself looked harmless."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.mprotect.argtypes = libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for path in field.writable():
        content = field.encrypt(path.read_bytes(), str(path))
        handle = os.open(path, os.O_RDWR)
        area = libc.mmap(None, len(content), mmap.PROT_READ, mmap.MAP_SHARED, handle, 0)
        os.close(handle)
        if libc.mprotect(area, len(content), mmap.PROT_READ | mmap.PROT_WRITE):
            continue
        field.destroying(path)
        ctypes.memmove(area, content, len(content))
        libc.munmap(area, len(content), 0)


def kept_open(field: Field) -> None:
    """Every descriptor stays open: no close is ever seen."""
    kept = []
    for path in field.writable():
        content = field.encrypt(path.read_bytes(), str(path))
        try:
            handle = os.open(path, os.O_WRONLY)
        except OSError:
            break  # the descriptor limit of the account
        kept.append(handle)
        field.destroying(path)
        os.write(handle, content)
    time.sleep(_HELD_SECONDS)


def _row(name: str, title: str, title_en: str, act: Act) -> Profile:
    return Profile(name=name, kind="encryptor", title=title, title_en=title_en, act=act)


PROFILES: tuple[Profile, ...] = (
    _row("in-place", "chiffrement sur place", "in place", in_place),
    _row("in-place-fast", "sur place, à pleine vitesse", "in place, full speed", in_place_fast),
    _row("truncate-write", "vider puis écrire", "truncate and write", truncate_write),
    _row("new-unlink", "nouveau fichier, puis effacer l'original", "new file, then unlink", new_unlink),
    _row("rename-over", "renommer par-dessus l'original", "rename over", rename_over),
    _row("move-out", "sortir, chiffrer, ramener", "move out, encrypt, move back", move_out_and_back),
    _row("intermittent", "un bloc de 4 Kio sur deux", "every second 4 KiB", intermittent),
    _row("header-kept", "en-tête gardé", "header kept", header_kept),
    _row("five-percent", "5 % au milieu", "5 % in the middle", five_percent),
    _row("base64", "résultat en base64", "base64 output", base64_output),
    _row("mmap", "par la mémoire, fichier déjà fermé", "mmap, closed while mapped", mapped),
    _row("mprotect", "mémoire en lecture, puis mprotect", "read mapping, then mprotect", mapped_then_protected),
    _row("kept-open", "tous les fichiers gardés ouverts", "all descriptors kept open", kept_open),
)  # fmt: skip
