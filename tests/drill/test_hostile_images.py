"""An image that unfolds to more than the machine's memory, among honest ones."""

import resource
import struct
import time
import zlib
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    MPEG4HP41,
    UID,
    CTImageStorage,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MPEGTransferSyntaxes,
    generate_uid,
)

from releve.adapters.drill import dicom
from releve.adapters.drill.examiner import RoomExaminer


def image(syntax: bytes, body: bytes) -> bytes:
    syntax += b"\0" * (len(syntax) % 2)
    told = b"\x02\0\x10\0UI" + struct.pack("<H", len(syntax)) + syntax
    length = b"\x02\0\0\0UL\x04\0" + struct.pack("<I", len(told))
    return bytes(128) + b"DICM" + length + told + body


def write(place: Path, syntax: UID, frames: list[bytes], *, told: int = 1) -> None:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.Rows = made.Columns = 8
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 7, 0, 1
    made.PhotometricInterpretation, made.NumberOfFrames = "MONOCHROME2", told
    made.PixelData = encapsulate(frames)
    made.save_as(place, enforce_file_format=True)


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
    _, seen = dicom.decode([str(tmp_path / name) for name in ("a.dcm", "bomb.dcm", "z.dcm")])
    assert seen.broken == [str(tmp_path / "bomb.dcm")]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert time.monotonic() - began < 60


def test_an_image_that_no_decoder_here_can_unfold_is_not_called_broken(tmp_path) -> None:
    """JPEG-LS, JPEG lossless and films are honest; pydicom alone unfolds none of them."""
    wanted = {"lossless.dcm": JPEGLosslessSV1, "ls.dcm": JPEGLSLossless, "film.dcm": MPEG4HP41}
    for name, syntax in wanted.items():
        if syntax in MPEGTransferSyntaxes or not get_decoder(syntax).is_available:
            write(tmp_path / name, syntax, [b"\xff\xd8" + bytes(64) + b"\xff\xd9"])
    whole = list(tmp_path.iterdir())
    write(tmp_path / "short.dcm", JPEGLSLossless, [b"\xff\xd8" + bytes(8)], told=2)
    check, bad = RoomExaminer(str(tmp_path / "scratch"), is_shut_in=False).dicom([str(tmp_path)])
    assert bad == (str(tmp_path / "short.dcm"),)
    assert {(reason.kind, reason.seen) for reason in check.reasons} == {
        ("dicom_pixels", "1"), ("dicom_folded", str(len(whole))), ("dicom_bad", "1"),
    }  # fmt: skip
