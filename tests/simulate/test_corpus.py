"""The practice share: the same seed gives the same bytes, and every file is what its name says."""

import gzip
import io
import os
import re
import sqlite3
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import pydicom
import pytest
from PIL import Image

from releve.apps.simulate import manifest
from releve.apps.simulate.corpus import dicom, documents, jpeg, tree
from releve.apps.simulate.mark import require_mark


@pytest.fixture(scope="module", name="share")
def _share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "partage"
    tree.build(folder, run="sim-test", seed=3, files=240)
    return folder


def of_kind(share: Path, suffix: str) -> list[Path]:
    found = [path for path in share.rglob(f"*{suffix}") if path.is_file()]
    assert found
    return found


def test_a_share_has_at_least_2000_files_and_carries_its_mark(tmp_path: Path) -> None:
    built = tree.build(tmp_path / "p", run="sim-test", seed=7)
    assert built.files >= 2_000
    assert built.bytes > 60_000_000
    assert require_mark(tmp_path / "p") == "sim-test"


def test_the_same_seed_gives_the_same_share(share: Path, tmp_path: Path) -> None:
    tree.build(tmp_path / "again", run="sim-other", seed=3, files=240)
    first, second = manifest.take(share), manifest.take(tmp_path / "again")
    assert {name: entry.digest for name, entry in first.items()} == {
        name: entry.digest for name, entry in second.items()
    }
    assert {name: entry.mtime_ns for name, entry in first.items()} == {
        name: entry.mtime_ns for name, entry in second.items()
    }


def test_another_seed_gives_another_share(share: Path, tmp_path: Path) -> None:
    tree.build(tmp_path / "other", run="sim-test", seed=4, files=240)
    assert manifest.take(share).keys() != manifest.take(tmp_path / "other").keys()


def test_photos_and_scans_decode(share: Path) -> None:
    for path in of_kind(share, ".jpg") + of_kind(share, ".png"):
        with Image.open(path) as picture:
            picture.load()
            assert picture.size[0] > 100


def test_photos_differ_from_each_other(share: Path) -> None:
    digests = Counter(path.read_bytes() for path in of_kind(share, ".jpg"))
    assert max(digests.values()) == 1


def test_dicom_images_are_read_by_a_library(share: Path) -> None:
    for path in of_kind(share, ".dcm"):
        image = pydicom.dcmread(path)
        assert len(image.PixelData) == 2 * image.Rows * image.Columns
        assert image.file_meta.TransferSyntaxUID == dicom.EXPLICIT


def test_dicom_rewrites_keep_the_picture(share: Path) -> None:
    content = of_kind(share, ".dcm")[0].read_bytes()
    before = pydicom.dcmread(io.BytesIO(content))
    packed = pydicom.dcmread(io.BytesIO(dicom.deflated(content)))
    nameless = pydicom.dcmread(io.BytesIO(dicom.anonymised(content)))
    assert packed.PixelData == nameless.PixelData == before.PixelData
    assert str(nameless.PatientName) == "ANONYME"


def test_archives_and_office_documents_open(share: Path) -> None:
    for suffix in (".docx", ".odt", ".zip"):
        for path in of_kind(share, suffix):
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
    for path in of_kind(share, ".gz"):
        gzip.decompress(path.read_bytes())


def assert_pdf(content: bytes) -> None:
    start = int(content[content.rindex(b"startxref") + 9 :].split()[0])
    assert content[start:].startswith(b"xref")
    assert content.endswith(b"%%EOF\n")
    for offset in re.findall(rb"(\d{10}) 00000 n ", content[start:]):
        assert re.match(rb"\d+ 0 obj", content[int(offset) :])
    for stream in re.findall(rb"stream\n(.*?)\nendstream", content, re.DOTALL):
        zlib.decompress(stream)


def test_pdfs_have_a_table_that_points_at_their_objects(share: Path) -> None:
    for path in of_kind(share, ".pdf"):
        assert_pdf(path.read_bytes())


def test_a_stamped_pdf_keeps_its_first_bytes_and_stays_sound(share: Path) -> None:
    content = of_kind(share, ".pdf")[0].read_bytes()
    stamped = documents.stamped(content, "Reçu (copie)")
    assert stamped.startswith(content)
    assert_pdf(stamped)


def test_the_patient_database_is_sound(share: Path) -> None:
    with sqlite3.connect(share / tree.DATABASE) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM patient").fetchone()[0] >= 1_000
    db.close()


def test_metadata_is_as_various_as_in_a_practice(share: Path) -> None:
    entries = manifest.take(share)
    files = [entry for entry in entries.values() if entry.kind == "file"]
    assert len({entry.mode for entry in files}) >= 4
    assert any(entry.attributes for entry in files)
    assert any(entry.kind == "link" for entry in entries.values())
    assert any(entry.size == 0 for entry in files)
    assert max(Counter(entry.inode for entry in files).values()) == 2
    if os.geteuid() == 0:
        assert len({entry.owner for entry in files}) >= 3


def test_stripping_exif_leaves_the_picture_alone(share: Path) -> None:
    content = of_kind(share, ".jpg")[0].read_bytes()
    bare = jpeg.without_exif(content)
    assert b"Exif" in content
    assert b"Exif" not in bare
    with Image.open(io.BytesIO(content)) as one, Image.open(io.BytesIO(bare)) as two:
        assert one.tobytes() == two.tobytes()


def test_png_pixels_come_back() -> None:
    grey = bytes(range(200)) * 50
    assert documents.unpng(documents.png(grey, 100)) == (grey, 100)
