"""Files that nobody of this project wrote: pydicom's, this machine's documents, recorded events."""

import gzip
import itertools
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pydicom.data
import pytest

from releve.detect.ransom.content import Verdict, compare, opaque
from releve.detect.ransom.formats import LIMITS, Blob, look
from tests.detect.ransom import attacks

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
# Damaged on purpose by pydicom's authors, or DICOM without what makes it readable.
DAMAGED = ("truncated", "meta_missing_tsyntax", "SC_rgb_jpeg.dcm")
SPARING = (
    attacks.whole,
    attacks.header_kept,
    attacks.header_only,
    attacks.tail_half,
    attacks.zeros,
)


def dicoms() -> list[Path]:
    return sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))


def documents() -> Iterator[Path]:
    kinds = (
        "*.gz",
        "*.png",
        "*.jpg",
        "*.pdf",
        "*.html",
        "*.xml",
        "copyright",
        "*.txt",
        "*.gif",
        "*.svg",
    )
    for kind in kinds:
        found = itertools.chain(
            Path("/usr/share/doc").rglob(kind), Path("/usr/share/xml").rglob(kind)
        )
        yield from itertools.islice(
            (one for one in found if one.is_file() and 1024 < one.stat().st_size < 4 << 20), 40
        )


@pytest.mark.parametrize("path", dicoms(), ids=lambda one: one.name)
def test_every_dicom_of_pydicom_is_valid_and_its_ruin_is_bad(path: Path) -> None:
    before = path.read_bytes()
    shape = look(Blob(before), path.name)
    if shape.kind != "dicom":  # no preamble: nothing says that it is DICOM
        assert shape.state in ("unknown", "broken")
        return
    expected = "broken" if any(one in path.name for one in DAMAGED) else "valid"
    assert shape.state == expected, shape.why
    for attack in SPARING:
        after = attack(before)
        if expected == "valid" and after != before:
            change = compare(Blob(before), Blob(after), before_name=path.name, after_name=path.name)
            assert change.points >= LIMITS.interior, attack.__name__


def test_documents_of_this_machine_are_honest_and_their_ruin_is_bad() -> None:
    files = [one.read_bytes() for one in documents()]
    if not files:
        pytest.skip("NOT SHOWN: no documents under /usr/share on this machine")
    wrong = [look(Blob(data)) for data in files if opaque(look(Blob(data)))]
    assert wrong == []
    for data in files:
        if look(Blob(data)).state != "valid":
            continue
        for attack in SPARING:
            after = attack(data)
            assert after == data or compare(Blob(data), Blob(after)).verdict is Verdict.BAD, (
                attack.__name__
            )


def test_one_document_saved_over_another_of_its_kind_is_not_bad() -> None:
    files = [one.read_bytes() for one in documents()]
    for before, after in itertools.pairwise(files):
        one, other = look(Blob(before)), look(Blob(after))
        if one.kind == other.kind and one.state == other.state == "valid":
            assert compare(Blob(before), Blob(after)).points == 0


def test_python_sources_are_text() -> None:
    for path in itertools.islice(Path(os.__file__).parent.glob("*.py"), 80):
        data = path.read_bytes()
        if len(data) > 300:
            assert look(Blob(data), path.name).state == "valid"
            assert compare(Blob(data), Blob(gzip.compress(data))).points == 0


def test_recorded_event_logs_are_honest_and_their_ruin_is_bad() -> None:
    archive = SHARED / "evtx-attack-samples.tar.xz"
    if not archive.exists():
        pytest.skip(f"NOT SHOWN: {archive.name} is not beside this clone")
    seen = 0
    with tarfile.open(archive) as opened:
        for member in opened:
            if not member.name.endswith(".evtx") or seen >= 40:
                continue
            reader = opened.extractfile(member)
            data = reader.read() if reader else b""
            assert (look(Blob(data)).kind, look(Blob(data)).state) == ("evtx", "valid")
            for attack in (
                attacks.whole,
                attacks.header_kept,
                attacks.every_second_page,
                attacks.five_percent,
            ):
                assert compare(Blob(data), Blob(attack(data))).points >= LIMITS.interior
            seen += 1
    assert seen
