"""An image that unfolds to more than the machine's memory, among honest ones."""

import resource
import struct
import time
import zlib

from releve.adapters.drill import dicom


def image(syntax: bytes, body: bytes) -> bytes:
    syntax += b"\0" * (len(syntax) % 2)
    told = b"\x02\0\x10\0UI" + struct.pack("<H", len(syntax)) + syntax
    length = b"\x02\0\0\0UL\x04\0" + struct.pack("<I", len(told))
    return bytes(128) + b"DICM" + length + told + body


def test_a_bomb_ends_its_own_process_and_the_others_are_judged(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(dicom, "_MOST_MEMORY", 800 << 20)
    report = b"\x08\0\x16\0UI\x1a\x001.2.840.10008.5.1.4.1.1.7\0"
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(squeezed.compress(bytes(64 << 20)) for _ in range(20)) + squeezed.flush()
    (tmp_path / "a.dcm").write_bytes(image(b"1.2.840.10008.1.2.1", report))
    (tmp_path / "bomb.dcm").write_bytes(image(b"1.2.840.10008.1.2.1.99", bomb))
    (tmp_path / "z.dcm").write_bytes(image(b"1.2.840.10008.1.2.1", report))
    assert (tmp_path / "bomb.dcm").stat().st_size < 4 << 20
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    _, bad = dicom.decode([str(tmp_path / name) for name in ("a.dcm", "bomb.dcm", "z.dcm")])
    assert bad == [str(tmp_path / "bomb.dcm")]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert time.monotonic() - began < 60
