"""A new file that was looked at while it was being written stands for nothing, until it is whole."""

import msgspec

from releve.detect.ransom.pairs import Fresh, Gone, Pairs

FAMILY = ("rm", "tar", "bash")


def fresh(name: bytes, *, opaque: bool, changed_ns: int = 1) -> Fresh:
    return Fresh(
        file=b"new",
        name=name,
        size=200_000,
        opaque=opaque,
        lineage=FAMILY,
        at_s=1.0,
        changed_ns=changed_ns,
    )


def gone(name: bytes) -> Gone:
    return Gone(file=name, name=name, size=40_000, lineage=FAMILY, at_s=1.0)


def test_half_a_save_is_not_matched_with_the_original_that_went_before_it() -> None:
    pairs = Pairs(100, 10.0, 60.0)
    assert pairs.add_gone(gone(b"lettre.docx")) is None
    assert pairs.add_fresh(fresh(b"lettre.docx", opaque=True), match=False) is None
    assert pairs.add_fresh(fresh(b"lettre.docx", opaque=False)) == gone(b"lettre.docx")


def test_an_archive_that_reads_once_it_is_whole_accounts_for_no_deletion() -> None:
    pairs = Pairs(100, 10.0, 60.0)
    growing = fresh(b"2023.tar.xz", opaque=True)
    pairs.add_fresh(growing, match=False)
    assert pairs.archive(gone(b"a.pdf")) == growing
    pairs.look_again(msgspec.structs.replace(growing, opaque=False, changed_ns=2))
    assert pairs.archive(gone(b"a.pdf")) is None


def test_a_file_that_is_gone_is_not_looked_at_again() -> None:
    pairs = Pairs(100, 10.0, 60.0)
    pairs.look_again(fresh(b"a.7z", opaque=True))
    assert pairs.archive(gone(b"a.pdf")) is None
