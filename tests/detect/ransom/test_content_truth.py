"""Truth tables: every attack on every kind of file is bad, every honest change is not."""

# ruff: noqa: E501 - lists of attacks read better on one line

import bz2
import gzip
import lzma
import random
import struct
from collections.abc import Callable

import pytest
import zstandard

from releve.detect.ransom.content import Change, Verdict, compare, created, opaque, replaced
from releve.detect.ransom.formats import LIMITS, Blob, look
from tests.detect.ransom import attacks, honest, samples


def judged(before: bytes, after: bytes, name: str) -> Change:
    return compare(Blob(before), Blob(after), before_name=name, after_name=name)


@pytest.mark.parametrize("extension", samples.KINDS)
def test_an_honest_file_is_what_it_is(extension: str) -> None:
    shape = look(Blob(samples.sample(extension)), f"a.{extension}")
    assert (shape.kind, shape.state, shape.encrypted) == (
        samples.KINDS[extension][0],
        "valid",
        False,
    )
    assert not opaque(shape)


@pytest.mark.parametrize("attack", attacks.IN_PLACE, ids=lambda one: one.__name__)
@pytest.mark.parametrize("extension", samples.KINDS)
def test_what_was_destroyed_in_place_is_bad(
    extension: str, attack: Callable[[bytes], bytes]
) -> None:
    before = samples.sample(extension)
    after = attack(before)
    if after == before:  # nothing of a file under 4 KiB is touched by those who spare the header
        return
    change = judged(before, after, f"a.{extension}")
    assert change.verdict is Verdict.BAD
    assert change.points >= LIMITS.emptied


@pytest.mark.parametrize("carrier", attacks.CARRIERS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("extension", samples.KINDS)
def test_a_valid_looking_carrier_of_ciphertext_is_bad(
    extension: str, carrier: Callable[[bytes], bytes]
) -> None:
    before, name = samples.sample(extension), f"a.{extension}"
    after = carrier(before)
    assert judged(before, after, name).points >= LIMITS.interior
    gone = replaced(Blob(before), Blob(after), before_name=name, new_name=name + ".new")
    assert gone.points >= LIMITS.sealed_archive


@pytest.mark.parametrize("what", honest.IN_PLACE)
def test_honest_work_is_not_bad(what: str) -> None:
    make, name = honest.IN_PLACE[what]
    before, after = make()
    assert before != after
    change = judged(before, after, name)
    assert change.reasons == ()
    # What was sealed or random before gives no evidence either way.
    blind = what in ("random stays random", "age backup renewed")
    assert change.verdict is (Verdict.UNKNOWN if blind else Verdict.CLEAN)


@pytest.mark.parametrize("what", honest.IN_PLACE)
def test_honest_work_saved_under_a_new_name_is_not_bad(what: str) -> None:
    make, name = honest.IN_PLACE[what]
    before, after = make()
    assert replaced(Blob(before), Blob(after), before_name=name, new_name=name).points == 0


@pytest.mark.parametrize("packer", honest.PACKERS)
@pytest.mark.parametrize("extension", samples.KINDS)
def test_an_archive_that_holds_the_original_is_clean(extension: str, packer: str) -> None:
    before = samples.sample(extension)
    packed = honest.PACKERS[packer](before)
    change = replaced(Blob(before), Blob(packed), before_name=f"a.{extension}", new_name="a.new")
    assert change.verdict is Verdict.CLEAN
    assert judged(before, packed, f"a.{extension}").points <= LIMITS.kind_changed


@pytest.mark.parametrize("packer", ["gzip", "zip", "base64"])
def test_an_archive_of_something_else_is_not_clean(packer: str) -> None:
    other = honest.PACKERS[packer](samples.text(seed=77))
    change = replaced(Blob(samples.text()), Blob(other), before_name="a.txt", new_name="a.new")
    expected = 0 if packer == "base64" else LIMITS.opaque_archive  # base64 of text is text
    assert change.points == expected


@pytest.mark.parametrize("name", honest.PACKING_TOOLS)
@pytest.mark.parametrize("extension", ["txt", "pdf", "png"])
def test_a_real_packer_that_replaces_the_original_is_clean(
    extension: str, name: str, need: Callable[..., None]
) -> None:
    command, suffix = honest.PACKING_TOOLS[name]
    need(command.split()[0])
    before = samples.sample(extension)
    packed = honest.tool(command, suffix)(before)
    change = replaced(Blob(before), Blob(packed), before_name="a", new_name="a" + suffix)
    assert change.verdict is Verdict.CLEAN, change


@pytest.mark.parametrize("name", honest.SEALING_TOOLS)
@pytest.mark.parametrize("extension", ["txt", "docx", "dcm"])
def test_a_real_encryptor_is_bad(extension: str, name: str, need: Callable[..., None]) -> None:
    command, suffix = honest.SEALING_TOOLS[name]
    need(command.split("-")[0].split()[0])
    before = samples.sample(extension)
    sealed = honest.tool(command, suffix)(before)
    archive = name.startswith(("zip", "7z"))
    least = LIMITS.sealed_archive if archive else LIMITS.sealed
    assert (
        replaced(Blob(before), Blob(sealed), before_name="a", new_name="a" + suffix).points >= least
    )
    assert judged(before, sealed, f"a.{extension}").points >= least
    assert opaque(created(Blob(sealed), "a" + suffix))


@pytest.mark.parametrize("name", honest.SEALING_TOOLS)
def test_a_small_file_sealed_by_a_real_encryptor_is_bad(
    name: str, need: Callable[..., None]
) -> None:
    command, suffix = honest.SEALING_TOOLS[name]
    need(command.split("-")[0].split()[0])
    before = samples.text(600)
    sealed = honest.tool(command, suffix)(before)
    assert replaced(Blob(before), Blob(sealed), before_name="a.txt", new_name="a").points >= 2


def test_a_document_saved_with_a_password_stays_under_a_broken_one() -> None:
    sealed = samples.ole(name="EncryptedPackage", content=attacks.noise(40_000))
    change = judged(samples.docx(), sealed, "a.docx")
    assert 0 < change.points <= LIMITS.password
    assert look(Blob(sealed)).encrypted


def records(count: int = 3000) -> bytes:
    """A practice program's own file: a format that nobody here knows."""
    chance = random.Random(3)
    return b"FIC\x01\x02\x03" + b"".join(
        struct.pack("<IHHf", i, chance.randrange(300), 0, chance.random()) + samples.WORDS[i % 40].encode().ljust(12, b"\0")
        for i in range(count)
    )  # fmt: skip


@pytest.mark.parametrize(
    "attack",
    [
        attacks.whole,
        attacks.header_only,
        attacks.header_kept,
        attacks.every_second_page,
        attacks.tail_half,
        attacks.zeros,
    ],
)
def test_a_file_of_unknown_format_is_judged_by_its_bytes(attack: Callable[[bytes], bytes]) -> None:
    before = records()
    assert look(Blob(before)).kind == "unknown"
    assert judged(before, attack(before), "base.fic").points >= LIMITS.became_uniform_few


def test_packed_parts_in_a_file_of_unknown_format_weigh_little() -> None:
    before = records()
    picture = samples.png(80, 60)
    after = before[:20_000] + picture + before[20_000 + len(picture) :]
    assert judged(before, after, "base.fic").points <= LIMITS.became_uniform_unknown


def test_gpg_over_gpg_says_nothing() -> None:
    one, other = (
        b"\x8c\x0d\x04\x09\x03\x0a"
        + attacks.noise(9, seed)
        + b"\xd2\xff"
        + attacks.noise(9000, seed)
        for seed in (1, 2)
    )
    assert look(Blob(one)).kind == "gpg"
    assert judged(one, other, "a.gpg").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("name", ["journal.log", "x.lock", "b.bak", "~doc.tmp", "base.db-wal"])
def test_emptying_what_lives_shortly_is_no_sign(name: str) -> None:
    assert judged(samples.text(), b"", name).points == 0


def test_emptying_a_lock_file_destroys_nothing() -> None:
    assert judged(b"4711\n", b"", "application").points == 0


def test_an_unchanged_or_moved_file_is_clean() -> None:
    data = Blob(samples.docx())
    assert compare(data, data).verdict is Verdict.CLEAN
    assert replaced(data, data, before_name="a.docx", new_name="b.docx").verdict is Verdict.CLEAN


def test_cut_to_almost_nothing_leaves_a_trace_but_no_conviction() -> None:
    assert 0 < judged(samples.text(), samples.text()[:20], "a.txt").points <= 1


def test_two_files_never_convict_and_three_always_do() -> None:
    change = judged(samples.text(), attacks.noise(60_000), "a.txt")
    assert 2 * change.points < 10 <= 3 * change.points


@pytest.mark.parametrize(
    "attack", [*attacks.IN_PLACE, *attacks.CARRIERS], ids=lambda one: one.__name__
)
def test_every_point_has_its_sentence_in_both_languages(attack: Callable[[bytes], bytes]) -> None:
    change = judged(samples.text(), attack(samples.text()), "DUPONT_Jean.txt")
    assert change.reasons
    for reason in change.reasons:
        assert reason.score > 0
        assert len(reason.why_fr) > 5
        assert len(reason.why_en) > 5
        assert reason.why_fr != reason.why_en
        assert "DUPONT" not in reason.why_fr + reason.why_en


@pytest.mark.parametrize("size", [300, 700, 1500, 3000])
def test_a_small_text_turned_into_ciphertext_is_bad(size: int) -> None:
    before = samples.text(size)
    for seed in range(40):
        assert judged(before, attacks.noise(len(before), seed), "a.txt").points >= LIMITS.type_lost


PACKERS = {
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("ending", PACKERS)
def test_ciphertext_behind_a_small_whole_stream_is_bad(ending: str) -> None:
    """Its programs pass over it in silence, or nearly: the dump of a database would be gone."""
    pack = PACKERS[ending]
    before = pack(samples.text(600_000))
    cover = pack(b"rien du tout ")
    for cover_of, cut in ((cover, 0), (cover * 3, 0), (cover, 9000)):
        hidden = cover_of + attacks.noise(len(before) + cut - len(cover_of), 5)
        assert judged(before, hidden, f"dump.sql.{ending}").points >= LIMITS.type_lost
    head = b"\x1f\x8b\x08\0" if ending == "gz" else b"\x28\xb5\x2f\xfd"
    hidden = cover + head + attacks.noise(len(before), 6)
    assert judged(before, hidden, f"dump.sql.{ending}").points >= LIMITS.type_lost


def test_ciphertext_in_a_frame_that_programs_skip_is_bad() -> None:
    pack = PACKERS["zst"]
    before, noise = pack(samples.text(600_000)), attacks.noise(150_000, 8)
    hidden = pack(b"rien") + b"\x5a\x2a\x4d\x18" + len(noise).to_bytes(4, "little") + noise
    assert judged(before, hidden, "dump.sql.zst").points >= LIMITS.type_lost


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_what_honestly_follows_a_stream_is_not_bad(ending: str) -> None:
    pack = PACKERS[ending]
    before = pack(samples.text(200_000))
    mark = b"\x5a\x2a\x4d\x18\x04\0\0\0abcd" if ending == "zst" else b""
    grown = (
        before + mark + pack(samples.text(90_000)),  # a log that goes on in a second stream
        before + bytes(10_240),  # as a tape is filled up
        before + attacks.noise(256, 7),  # a signature
        b"".join(pack(samples.text(3000)) + mark for _ in range(60)),  # in blocks, to be sought in
    )
    for after in grown:
        assert judged(before, after, f"journal.{ending}").points == 0
        assert look(Blob(after), f"journal.{ending}").state == "valid"
