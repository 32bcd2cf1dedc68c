"""Run by itself in a confined process: a file on stdin, its text or its picture on stdout.

    python -I sketch.py text|word|image

Started as root, without a network, it becomes nobody before it reads a byte. Word files are read as
text only: nothing in them is run, no entity is resolved, no link followed.
"""

import codecs
import contextlib
import ctypes
import html
import io
import os
import re
import sys
import zipfile

MOST_CHARACTERS = 4_000
_MOST_XML = 16 << 20
_EDGE = 900
_PIXELS = 60_000_000
_BODIES = ("word/document.xml", "content.xml")
_BREAK = re.compile(r"</(?:w:p|text:p|text:h|w:tr)>")
_TAG = re.compile(r"<[^<>]*>")
_NOBODY = 65534
_NO_NEW_PRIVILEGES = 38  # prctl(2)
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def text(data: bytes) -> bytes:
    """Its beginning. Raises: ValueError for what is no text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _clean(data[: MOST_CHARACTERS * 2 + 2].decode("utf-16", "replace"))
    part = data[: MOST_CHARACTERS * 4]
    if b"\0" in part:
        raise ValueError
    try:
        return _clean(part.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        if len(part) - error.start < 4 and len(part) < len(data):  # a letter that was cut
            return _clean(part[: error.start].decode("utf-8-sig"))
        return _clean(part.decode("cp1252", "replace"))


def word(data: bytes) -> bytes:
    """The words of a Word or LibreOffice text. Raises: ValueError for one with macros, or none such."""
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        names = whole.namelist()
        if any("vbaproject" in name.lower() or name.startswith("Basic/") for name in names):
            raise ValueError
        body = next(name for name in _BODIES if name in names)
        with whole.open(body) as file:
            said = file.read(_MOST_XML).decode("utf-8", "replace")
    return _clean(html.unescape(_TAG.sub("", _BREAK.sub("\n", said))))


def image(data: bytes) -> bytes:
    """A smaller picture, made anew, of the first one in the file. Raises: ImportError without Pillow."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = _PIXELS
    drawn = io.BytesIO()
    with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
        picture.draft("RGB", (_EDGE, _EDGE))
        picture.thumbnail((_EDGE, _EDGE))
        picture.convert("RGB").save(drawn, "PNG")
    return drawn.getvalue()


def _clean(said: str) -> bytes:
    kept = "".join(sign for sign in said if sign in "\n\t" or sign.isprintable())
    return kept.strip()[:MOST_CHARACTERS].encode()


def drop() -> None:
    """Give all rights away, for good; what is needed of the disk is loaded before. Raises: OSError."""
    with contextlib.suppress(ImportError):
        from PIL import Image

        Image.init()
    for name in ("utf-8-sig", "utf-16", "cp1252", "cp437"):
        codecs.lookup(name)
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    if ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError


if __name__ == "__main__":
    drop()
    sys.stdout.buffer.write(
        {"text": text, "word": word, "image": image}[sys.argv[1]](sys.stdin.buffer.read())
    )
