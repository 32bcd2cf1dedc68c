"""Which process draws which file; what nobody can draw safely is told as such."""

import enum
import stat
import sys
from pathlib import Path, PurePath

import msgspec

from releve.adapters.preview import sketch
from releve.adapters.preview.confined import confined

MOST_BYTES = 40_000_000  # of a file that is drawn
_MOST_DRAWN = 4_000_000
_PNG = b"\x89PNG\r\n\x1a\n"
_PDF = ("pdftoppm", "-png", "-f", "1", "-l", "1", "-singlefile", "-scale-to", "1000", "-")
_TEXTS = frozenset({".txt", ".csv", ".md", ".log", ".hl7", ".json", ".xml", ".ics", ".vcf"})
_WORDS = frozenset({".docx", ".odt"})
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"})


class Why(enum.StrEnum):
    """Why there is no picture."""

    KIND = (
        "kind"  # of a kind that is not drawn: programs, archives, documents with macros, databases
    )
    LARGE = "large"
    UNSOUND = "unsound"
    FAILED = "failed"


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A text, or a PNG, or why there is neither."""

    text: str = ""
    png: bytes = b""
    why: Why | None = None


def draw(file: str, name: str) -> Drawn:
    """The file of that name; only the confined process reads it. A link is followed by nobody."""
    ending = PurePath(name).suffix.lower()
    facts = Path(file).lstat()
    if not stat.S_ISREG(facts.st_mode):
        return Drawn(why=Why.KIND)
    if facts.st_size > MOST_BYTES:
        return Drawn(why=Why.LARGE)
    if ending == ".pdf":
        return _picture(confined(_PDF, file, most_bytes=_MOST_DRAWN))
    if ending in _IMAGES:
        return _picture(_sketched("image", file))
    if ending in _TEXTS or ending in _WORDS:
        said = _sketched("text" if ending in _TEXTS else "word", file)
        return Drawn(text=said.decode("utf-8", "replace")) if said else Drawn(why=Why.FAILED)
    return Drawn(why=Why.KIND)


def _sketched(how: str, file: str) -> bytes | None:
    words = (sys.executable, "-I", str(sketch.__file__), how)
    return confined(words, file, most_bytes=_MOST_DRAWN, drops_itself=True)


def _picture(said: bytes | None) -> Drawn:
    if said is None or not said.startswith(_PNG):
        return Drawn(why=Why.FAILED)
    return Drawn(png=said)
