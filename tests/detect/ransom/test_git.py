"""What git keeps is known by decoding it, and is no shelter for ciphertext."""

import hashlib
import random
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from releve.detect.ransom.content import opaque, replaced
from releve.detect.ransom.formats import Blob, look
from tests.detect.ransom import samples

NOISE = random.Random(5).randbytes(90_000)


def test_a_loose_object_reads() -> None:
    assert look(Blob(samples.git_loose())).kind == "git-object"
    assert not opaque(look(Blob(samples.git_loose())))


def test_what_git_itself_writes_reads(tmp_path: Path) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@exemple.invalid")
    for number in range(60):
        (tmp_path / f"{number}.txt").write_bytes(samples.text(4_000 + number, number))
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        (*who, "commit", "-qm", "lot"),
        ("gc", "-q", "--aggressive"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    packs = tmp_path / ".git/objects/pack"
    for ending in ("pack", "idx"):
        (found,) = packs.glob(f"*.{ending}")
        shape = look(Blob(found.read_bytes()))
        assert (shape.state, opaque(shape)) == ("valid", False)


def _pack_of(content: bytes) -> bytes:
    size, head = len(content) >> 4, bytes([0x80 | 3 << 4 | len(content) & 15])
    while size > 127:
        head, size = head + bytes([0x80 | size & 127]), size >> 7
    body = b"PACK" + struct.pack(">2I", 2, 1) + head + bytes([size]) + zlib.compress(content)
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


@pytest.mark.parametrize(
    "carrier",
    [
        _pack_of(NOISE),
        samples.git_pack()[:3000] + NOISE,
        b"PACK\0\0\0\2\0\0\0\7" + NOISE,
        b"\xfftOc\0\0\0\2" + NOISE,
        zlib.compress(b"blob 90000\0" + NOISE),
    ],
    ids=["sound pack of noise", "noise behind objects", "noise behind the magic", "index", "loose"],
)
def test_ciphertext_in_the_clothes_of_git_is_seen(carrier: bytes) -> None:
    assert opaque(look(Blob(carrier)))
    assert replaced(Blob(samples.text()), Blob(carrier), before_name="a.txt").points >= 2
