"""What honest programs make of a file: pairs of before and after, by the programs themselves where they are here."""

# ruff: noqa: E501 - tables read better on one line

import base64
import bz2
import gzip
import io
import lzma
import sqlite3
import struct
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
import pydicom.encaps
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from tests.detect.ransom import attacks, samples

Pair = tuple[bytes, bytes]


def _saved(change: Callable[[pydicom.Dataset], object], name: str = "CT_small.dcm") -> Pair:
    before = samples.dicom(name)
    dataset = pydicom.dcmread(io.BytesIO(before))
    change(dataset)
    return before, samples.dicom_saved(dataset)


def anonymised(dataset: pydicom.Dataset) -> None:
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "ANONYME", "0", ""
    dataset.remove_private_tags()


def dicom_to(syntax: pydicom.uid.UID) -> Callable[[], Pair]:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = syntax

    return lambda: _saved(change)


def packbits(data: bytes) -> bytes:
    """Literal runs of PackBits: legal, if lazy."""
    out = b"".join(
        bytes([len(part) - 1]) + part
        for part in (data[at : at + 128] for at in range(0, len(data), 128))
    )
    return out + bytes(len(out) & 1)


def dicom_to_rle() -> Pair:
    """Two segments, high bytes and low bytes, as RLE Lossless wants 16-bit pixels."""

    def change(dataset: pydicom.Dataset) -> None:
        high, low = packbits(dataset.PixelData[1::2]), packbits(dataset.PixelData[::2])
        head = struct.pack("<16I", 2, 64, 64 + len(high), *[0] * 13)
        dataset.PixelData = pydicom.encaps.encapsulate([head + high + low])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = RLELossless

    return _saved(change)


def dicom_in_place() -> Pair:
    """The name blanked where it stands, as small anonymisers do."""
    before = samples.dicom()
    return before, before.replace(b"CompressedSamples^CT1", b"ANONYME^ANONYME^ANONY")


def resaved_docx() -> Pair:
    return samples.docx(60_000, 1), samples.docx(61_000, 1)


def docx_one_letter() -> Pair:
    before = samples.docx()
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(before)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            content = old.read(info)
            if info.filename == "word/document.xml":
                content = content.replace("toux sèche".encode(), b"toux grave", 1)
            new.writestr(info, content)
    return before, out.getvalue()


def docx_stored_level() -> Pair:
    """Another program saves the same document with another deflate level."""
    before = samples.docx()
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(before)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    return before, out.getvalue()


def zip_update() -> Pair:
    before = samples.zipped()
    out = io.BytesIO(before)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nouveau.txt", samples.text(20_000, 99))
    return before, out.getvalue()


def zip_of_pictures() -> Pair:
    return samples._archive(
        {f"{i}.png": samples.png(64, 48, i) for i in range(8)}, zipfile.ZIP_STORED
    ), samples._archive(
        {f"{i}.png": samples.png(64, 48, i + 1) for i in range(8)}, zipfile.ZIP_STORED
    )


def _sqlite(change: Callable[[sqlite3.Connection], None], before: bytes = b"") -> Pair:
    before = before or samples.database()
    link = sqlite3.connect(":memory:", isolation_level=None)
    link.deserialize(before)
    change(link)
    return before, link.serialize()


def sqlite_commit() -> Pair:
    return _sqlite(
        lambda link: link.execute("update patient set note = 'revu', poids = 1 where id % 7 = 0")
    )


def sqlite_vacuum() -> Pair:
    def change(link: sqlite3.Connection) -> None:
        link.execute("delete from patient where id % 2 = 0")
        link.execute("vacuum")

    return _sqlite(change)


def sqlite_blobs() -> Pair:
    """Photographs and packed documents put into freed pages."""

    def change(link: sqlite3.Connection) -> None:
        link.execute("delete from patient where id > 300")
        link.execute("create table piece (id integer primary key, contenu blob)")
        link.executemany(
            "insert into piece (contenu) values (?)",
            [(samples.gz(),), (samples.docx(),), (zlib.compress(samples.text()),)],
        )

    return _sqlite(change)


def sqlite_map_pages() -> Pair:
    def change(link: sqlite3.Connection) -> None:
        link.execute("delete from piece where id % 3 = 0")
        link.execute("insert into piece select id + 5000, contenu from piece where id % 5 = 0")

    return _sqlite(change, samples.database_with_map())


def pdf_incremental() -> Pair:
    before = samples.pdf()
    added = b"7 0 obj\n<< /Type /Annot /Contents (vu) >>\nendobj\n"
    at = len(before) + len(added)
    tail = (
        b"xref\n7 1\n%010d 00000 n \ntrailer\n<< /Size 8 /Root 1 0 R /Prev 1 >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(before), at)
    )
    return before, before + added + tail


def pdf_resaved() -> Pair:
    return samples.pdf(seed=1), samples.pdf(seed=2)


def picture(change: str) -> Callable[[], Pair]:
    def make() -> Pair:
        samples.need("PIL")
        from PIL import Image

        before = samples.png() if change == "png" else samples.jpeg()
        image, out = Image.open(io.BytesIO(before)), io.BytesIO()
        match change:
            case "png":
                image.rotate(90, expand=True).save(out, "PNG")
            case "resize":
                image.resize((240, 180)).save(out, "JPEG", quality=80)
            case "rotate":
                image.rotate(90, expand=True).save(out, "JPEG", quality=95)
            case "progressive":
                image.save(out, "JPEG", progressive=True, optimize=True, quality=70)
            case kind:
                image.save(out, kind)
        return before, out.getvalue()

    return make


def exif_edit() -> Pair:
    before = samples.jpeg()
    note = b"\xff\xe1\x00\x20Exif\0\0" + b"II*\0\x08\0\0\0" + bytes(16)
    return before, before[:2] + note + before[2:]


def picture_with_icc() -> Pair:
    """A large colour profile that is not uniform."""
    before = samples.jpeg(64, 48)
    profile = bytes([(i * i // 7) & 255 for i in range(3000)])
    return before, before[:2] + b"\xff\xe2" + (len(profile) + 2).to_bytes(
        2, "big"
    ) + profile + before[2:]


def log_appended() -> Pair:
    before = samples.text(50_000)
    return before, before + samples.text(9_000, 3)


def log_copytruncate() -> Pair:
    """Rotated by copytruncate under a writer without O_APPEND: a hole, then text."""
    before = samples.text(50_000)
    return before, bytes(len(before)) + samples.text(3000, 3)


def with_attachment() -> Pair:
    """FHIR bundle that gets a document attached as base64."""
    before = samples.fhir()
    attached = base64.b64encode(samples.pdf())
    return before, before[:-1] + b',{"resourceType":"Binary","data":"' + attached + b'"}]'


def mailbox() -> Pair:
    before = samples.eml()
    return before, before + b"\n\nFrom a@example.org\n" + samples.eml(90_000)


def database_dump() -> Pair:
    return samples.csv(50_000), samples.csv(90_000, 7)


def to_latin() -> Pair:
    return samples.text(), samples.latin()


def to_utf16() -> Pair:
    return samples.text(), samples.prose(60_000).encode("utf-16")


def to_crlf() -> Pair:
    return samples.text(), samples.text().replace(b"\n", b"\r\n")


def sed() -> Pair:
    return samples.text(), samples.text().replace("fièvre".encode(), b"frissons")


def cut_in_half() -> Pair:
    return samples.text(), samples.text()[:30_000]


def filled() -> Pair:
    return b"", samples.docx()


def doc_edited() -> Pair:
    return samples.ole(60_000), samples.ole(64_000)


def doc_with_picture() -> Pair:
    text = samples.prose(20_000).encode("utf-16-le")
    return samples.ole(content=text), samples.ole(content=text + samples.png(200, 200))


def spreadsheet_recalculated() -> Pair:
    return samples._archive(
        {"[Content_Types].xml": b"<Types/>", "xl/sheet1.xml": b"<a>" + samples.csv() + b"</a>"}
    ), samples._archive(
        {
            "[Content_Types].xml": b"<Types/>",
            "xl/sheet1.xml": b"<a>" + samples.csv(70_000, 9) + b"</a>",
        }
    )


def preallocated_filled() -> Pair:
    return bytes(60_000), samples.pdf()


def download_resumed() -> Pair:
    whole = samples.zipped()
    return whole[: len(whole) // 2], whole


def key_file_rotated() -> Pair:
    """A file that was random before may be random after."""
    return attacks.noise(4096, 1), attacks.noise(4096, 2)


def sealed_backup_renewed() -> Pair:
    return b"age-encryption.org/v1\n-> X25519 a\n" + attacks.noise(
        60_000, 1
    ), b"age-encryption.org/v1\n-> X25519 b\n" + attacks.noise(60_000, 2)


def pem_renewed() -> Pair:
    def pem(seed: int) -> bytes:
        return (
            b"-----BEGIN CERTIFICATE-----\n"
            + base64.encodebytes(attacks.noise(1200, seed))
            + b"-----END CERTIFICATE-----\n"
        )

    return pem(1), pem(2)


def gzip_renewed() -> Pair:
    return samples.gz(), gzip.compress(samples.text(210_000), mtime=0)


def gzip_appended() -> Pair:
    """A second member behind the first, as log shippers write."""
    return samples.gz(), samples.gz() + gzip.compress(b"fin de journee\n", mtime=0)


def wav_amplified() -> Pair:
    before = samples.wav()
    head, body = before[:44], before[44:]
    values = struct.unpack(f"<{len(body) // 2}h", body)
    return before, head + struct.pack(
        f"<{len(values)}h", *[max(-32768, min(32767, v * 2)) for v in values]
    )


def tar_appended() -> Pair:
    import tarfile

    before = samples.tarred()
    out = io.BytesIO(before)
    with tarfile.open(fileobj=out, mode="a") as archive:
        info = tarfile.TarInfo("photo.png")
        content = samples.png()
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return before, out.getvalue()


def log_rotated_to_nothing() -> Pair:
    return samples.text(), b""


IN_PLACE: dict[str, tuple[Callable[[], Pair], str]] = {
    "docx re-saved": (resaved_docx, "a.docx"), "docx, one letter": (docx_one_letter, "a.docx"),
    "docx by another program": (docx_stored_level, "a.docx"), "zip updated": (zip_update, "a.zip"),
    "zip of pictures": (zip_of_pictures, "a.zip"), "xlsx recalculated": (spreadsheet_recalculated, "a.xlsx"),
    "sqlite commit": (sqlite_commit, "a.db"), "sqlite vacuum": (sqlite_vacuum, "a.db"), "sqlite with blobs": (sqlite_blobs, "a.db"), "sqlite auto_vacuum": (sqlite_map_pages, "a.db"),
    "pdf incremental": (pdf_incremental, "a.pdf"), "pdf re-saved": (pdf_resaved, "a.pdf"), "png rotated": (picture("png"), "a.png"),
    "jpeg resized": (picture("resize"), "a.jpg"), "jpeg rotated": (picture("rotate"), "a.jpg"), "jpeg progressive": (picture("progressive"), "a.jpg"),
    "jpeg to png": (picture("PNG"), "a.jpg"), "jpeg to webp": (picture("WEBP"), "a.jpg"), "jpeg to tiff": (picture("TIFF"), "a.jpg"),
    "jpeg to pdf": (picture("PDF"), "a.jpg"), "exif edited": (exif_edit, "a.jpg"), "colour profile": (picture_with_icc, "a.jpg"),
    "log appended": (log_appended, "a.txt"), "log cut by copytruncate": (log_copytruncate, "a.log"), "fhir attachment": (with_attachment, "a.json"),
    "mailbox": (mailbox, "a.eml"), "csv rewritten": (database_dump, "a.csv"), "to latin-1": (to_latin, "a.txt"), "to utf-16": (to_utf16, "a.txt"),
    "to crlf": (to_crlf, "a.txt"), "sed -i": (sed, "a.txt"), "half deleted": (cut_in_half, "a.txt"), "empty file filled": (filled, "a.docx"),
    "doc edited": (doc_edited, "a.doc"), "doc gets a picture": (doc_with_picture, "a.doc"), "preallocated": (preallocated_filled, "a.pdf"),
    "download resumed": (download_resumed, "a.zip"), "random stays random": (key_file_rotated, "a.key"), "age backup renewed": (sealed_backup_renewed, "a.age"),
    "certificate renewed": (pem_renewed, "a.pem"), "gzip renewed": (gzip_renewed, "a.gz"), "gzip appended": (gzip_appended, "a.gz"),
    "sound amplified": (wav_amplified, "a.wav"), "tar appended": (tar_appended, "a.tar"), "log emptied": (log_rotated_to_nothing, "a.log"),
    "dicom anonymised": (lambda: _saved(anonymised), "a.dcm"), "dicom in place": (dicom_in_place, "a.dcm"),
    "dicom deflated": (dicom_to(DeflatedExplicitVRLittleEndian), "a.dcm"), "dicom implicit": (dicom_to(ImplicitVRLittleEndian), "a.dcm"),
    "dicom rle": (dicom_to_rle, "a.dcm"), "mr anonymised": (lambda: _saved(anonymised, "MR_small.dcm"), "a.dcm"),
}  # fmt: skip


def tool(command: str, suffix: str, name: str = "original.txt") -> Callable[[bytes], bytes]:
    """What a real program leaves in place of a file; `{}` is the file, `{out}` the result."""

    def make(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory(prefix="releve-content-") as folder:
            source = Path(folder) / name
            source.write_bytes(data)
            target = Path(folder) / (name + suffix)
            subprocess.run(
                ["sh", "-c", command.replace("{out}", str(target)).replace("{}", str(source))],
                check=True, capture_output=True, cwd=folder, env={"GNUPGHOME": folder, "HOME": folder, "PATH": "/usr/bin:/bin:/usr/sbin"},
            )  # fmt: skip
            return target.read_bytes()

    return make


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress,
    "zip": lambda data: samples._archive({"original": data}), "stored zip": lambda data: samples._archive({"original": data}, zipfile.ZIP_STORED),
    "base64": base64.encodebytes,
}  # fmt: skip
PACKING_TOOLS: dict[str, tuple[str, str]] = {
    "gzip": ("gzip -k {}", ".gz"), "bzip2": ("bzip2 -k {}", ".bz2"), "xz": ("xz -k {}", ".xz"), "zstd": ("zstd -q {}", ".zst"),
    "zip": ("zip -q {out} {}", ".zip"), "7z": ("7z a {out} {}", ".7z"), "tar": ("tar -C / -cPf {out} {}", ".tar"),
}  # fmt: skip
SEALING_TOOLS: dict[str, tuple[str, str]] = {
    "gpg": ("gpg --batch --pinentry-mode loopback --passphrase s --s2k-count 1024 -c {}; gpgconf --kill gpg-agent", ".gpg"),
    "gpg armoured": ("gpg --batch --pinentry-mode loopback --passphrase s --s2k-count 1024 -a -c {}; gpgconf --kill gpg-agent", ".asc"),
    "openssl": ("openssl enc -aes-256-cbc -pbkdf2 -pass pass:s -in {} -out {out}", ".enc"),
    "openssl base64": ("openssl enc -a -aes-256-cbc -pbkdf2 -pass pass:s -in {} -out {out}", ".b64"),
    "ccrypt": ("ccrypt -K s {}", ".cpt"), "age": ("age-keygen -o k; age -r $(age-keygen -y k) -o {out} {}", ".age"),
    "zip -P": ("zip -q -P s {out} {}", ".zip"), "7z -p": ("7z a -ps {out} {}", ".7z"), "7z -p -mhe": ("7z a -ps -mhe=on {out} {}", ".7z"),
}  # fmt: skip
