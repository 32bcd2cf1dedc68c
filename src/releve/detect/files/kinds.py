"""What a name promises, and what may act when it is opened."""

from releve.detect.ransom.formats import Bytes


def _words(said: str) -> frozenset[str]:
    return frozenset(said.split())


# Endings of programs, scripts and shortcuts: Windows, macOS and Linux, and what Office runs.
_ACTIVE = _words(
    ".exe .dll .sys .scr .com .cpl .ocx .msi .msp .msix .appx .bat .cmd .ps1 .psm1 .psd1 .vbs .vbe .js .jse"
    " .mjs .wsf .wsh .hta .lnk .url .scf .inf .reg .jar .class .py .pyc .pyw .pl .rb .php .asp .aspx .jsp"
    " .sh .bash .ksh .zsh .command .app .pkg .dmg .deb .rpm .apk .so .dylib .elf .bin .run .iso .img .vhd"
    " .vhdx .chm .gadget .job .theme .docm .dotm .xlsm .xltm .xlam .xll .pptm .potm .ppam .ppsm .sldm .one"
)  # fmt: skip
_PROGRAM_HEADS = (
    b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe",
)  # fmt: skip
_ACTIVE_HEADS = (*_PROGRAM_HEADS, b"#!", b"L\0\0\0\x01\x14\x02\0")
# In OLE and zip containers: the macro project, the automatic actions, the embedded objects.
_MACROS = (
    b"vbaProject.bin", b"_VBA_PROJECT", b"V\0B\0A\0_\0P\0R\0O\0J\0E\0C\0T", b"xl/macrosheets/",
    b"A\0t\0t\0r\0i\0b\0u\0t\0", b"Scripts/python", b"Basic/script-lc.xml",
)  # fmt: skip
_OLE, _ZIP, _PDF, _RTF = b"\xd0\xcf\x11\xe0", b"PK\x03\x04", b"%PDF-", b"{\\rt"
_PDF_ACTS = (b"/JavaScript", b"/Launch", b"/EmbeddedFile", b"/OpenAction")
_RTF_ACTS = (b"\\objdata", b"\\objupdate", b"\\objclass")
_MACRO_BYTES = 8 << 20  # a container's directory is at its end, OLE's somewhere: so much is read

# A document's endings, whose bytes some program must be able to read.
DOCUMENTS = _words(
    ".txt .csv .tsv .log .xml .json .html .htm .md .rtf .eml .hl7 .ini .cfg .conf .yml .yaml"
    " .doc .docx .dot .dotx .xls .xlsx .ppt .pptx .odt .ods .odp .pdf .epub .pub .vsd .vsdx .msg .mdb"
    " .jpg .jpeg .png .gif .bmp .tif .tiff .webp .heic .svg .dcm .dicom .db .sqlite .sqlite3 .db3"
    " .zip .gz .tgz .bz2 .xz .tar .mp3 .mp4 .m4a .wav .avi .mov .ogg .ics .vcf .ai .eps"
)  # fmt: skip
# Formats that the checks of this house decode: with such an ending, what does not read is broken.
DECODED = _words(
    ".txt .csv .tsv .xml .json .html .htm .md .rtf .eml .hl7 .ini .docx .xlsx .pptx .odt .ods .odp .epub"
    " .pdf .doc .xls .ppt .jpg .jpeg .png .gif .dcm .dicom .db .sqlite .sqlite3 .db3 .zip .gz .tgz .bz2 .tar"
)  # fmt: skip
# Whose bytes are unreadable by nature: a new one says nothing.
SEALED = _words(
    ".7z .rar .gpg .pgp .asc .age .kdbx .kdb .enc .p7m .p12 .pfx .vhd .vhdx .vmdk .qcow2 .tc .hc .jks"
    " .zst .lz4 .lzma .br .cab .bak .dump .pack .idx"
)  # fmt: skip


def ending(path: str) -> str:
    """The last ending, lower case, with its dot; empty if there is none."""
    name, dot, last = path.rpartition("/")[2].rpartition(".")
    return f".{last.lower()}" if name and dot and last else ""


def promised(path: str) -> str:
    """The document's ending in a name, also under one that was appended (`letter.docx.locked`)."""
    name = path.rpartition("/")[2].lstrip(".").lower()
    parts = name.split(".")[1:] if not name.endswith(".") else []
    known = [f".{part}" for part in parts[-3:] if f".{part}" in DOCUMENTS]
    return known[-1] if known else ""


def is_program(data: Bytes) -> bool:
    """Whether the head is that of a compiled program or a library."""
    return data.read(0, 4).startswith(_PROGRAM_HEADS)


def is_active(path: str, data: Bytes) -> bool:
    """Whether opening it may run something. Errs towards yes: such files can be had again elsewhere."""
    if ending(path) in _ACTIVE:
        return True
    head = data.read(0, 16)
    if head.startswith(_ACTIVE_HEADS):
        return True
    return _carries_macros(head, data)


def _carries_macros(head: bytes, data: Bytes) -> bool:
    signs = {_OLE: _MACROS, _ZIP: _MACROS, _PDF: _PDF_ACTS[:2], _RTF: _RTF_ACTS}.get(head[:4])
    signs = signs or (_PDF_ACTS[:2] if head[:5] == _PDF else None)
    if signs is None:
        return False
    if data.size <= _MACRO_BYTES:
        return _any(data.read(0, data.size), signs)
    half = _MACRO_BYTES // 2
    return _any(data.read(0, half), signs) or _any(data.read(data.size - half, half), signs)


def _any(content: bytes, signs: tuple[bytes, ...]) -> bool:
    return any(sign in content for sign in signs)
