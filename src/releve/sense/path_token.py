"""Clear paths -> keyed tokens: a file name is patient data, so it never leaves its host.

The same path gives the same token on one host, so that events about one file can be put together;
without the key nobody can test a guessed name. The clear names stay on the host.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

import msgspec

from releve.model.event import HiddenPath

# Only extensions that are kinds, never names: an unknown one ("CR.DUPONT") is not told.
_EXTENSIONS = """
    7z age accdb avi bak bin bmp bz2 cfg conf cpt csv dat db dcm doc docm docx dot dotx eml
    enc encrypted eps epub exe gif gpg gz heic hl7 htm html ics ini iso jpeg jpg js json key
    lockbit locked log mdb mp3 mp4 msg nii odp ods odt ost p12 pdf pem pfx pgp png pps ppt
    pptx ps1 pst py rar rtf sh sql sqlite sqlite3 svg tar tif tiff tmp txt vbs vcf wav webp
    xls xlsb xlsm xlsx xml xz yaml yml zip zst
"""
EXTENSIONS = frozenset(_EXTENSIONS.split())
_FOLDER_CLASSES = (
    ("imaging", ("dicom", "imager", "imaging", "pacs", "radio", "scan", "irm", "scanner")),
    ("laboratory", ("labo", "biolog", "analyse")),
    ("database", ("database", "sqlite", "mysql", "postgres", "base_", "bases", "bdd")),
    ("mail", ("mail", "courriel", "messagerie")),
    ("billing", ("compta", "factur", "billing", "tiers")),
    ("archive", ("archive", "backup", "sauvegarde")),
    ("documents", ("document", "courrier", "compte", "ordonnance", "dossier", "bureau", "office")),
)
_SYSTEM_ROOTS = ("/usr", "/bin", "/sbin", "/opt", "/lib", "/snap")
_HIDDEN = "[…]"


class PathKey(msgspec.Struct, frozen=True, kw_only=True):
    """The host's own key, and the protected folders with the labels that may be told."""

    key: bytes
    labels: dict[str, str] = {}  # folder path -> label chosen by the administrator


def token_of(key: bytes, path: str) -> str:
    """26 letters and digits: 128 bits of HMAC-SHA256, too many to collide or to try."""
    digest = hmac.new(key, path.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()
    return base64.b32encode(digest[:16]).decode().rstrip("=").lower()


def hide(key: PathKey, path: str) -> HiddenPath:
    """The path as it may leave the host."""
    suffix = PurePath(path).suffix.lower().lstrip(".")
    return HiddenPath(
        token=token_of(key.key, path),
        extension=suffix if suffix in EXTENSIONS else "",
        folder=folder_class(path),
    )


def folder_class(path: str) -> str:
    """A coarse kind of folder, by words of its path; empty when none is known."""
    parents = str(PurePath(path).parent).lower()
    return next((kind for kind, words in _FOLDER_CLASSES if any(w in parents for w in words)), "")


# How programs are named, and documents with a person's name hardly ever: "python3.11", "7z".
_PLAIN = re.compile(r"[a-z0-9][a-z0-9.+\[\]-]{0,15}|\(auteur inconnu\)|\(inconnu\)")


def hide_program(key: PathKey, program: str) -> str:
    """A program's name when it is the system's; from anywhere else its name may be anybody's.

    Of a bare name only the form tells: what is not plain and short is hidden.
    """
    if not program or ("/" not in program and "\\" not in program and _PLAIN.fullmatch(program)):
        return program
    pure = PurePath(program)
    if program.startswith(_SYSTEM_ROOTS):
        return pure.name
    suffix = pure.suffix.lower().lstrip(".")
    tail = f".{suffix}" if suffix in EXTENSIONS else ""
    return f"{token_of(key.key, program)[:10]}{tail}"


_QUOTED = re.compile(r"(«[^»]*»|“[^”]*”|\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|`[^`]*`)")
_ABSOLUTE = re.compile(r"(?:(?<=^)|(?<=[\s\"'(\[:=,]))(?:/|[A-Za-z]:\\|\\\\)[^\s/].*$", re.DOTALL)
_FILE_NAME = re.compile(
    r"[^\s«»\"'()]*\.(?:" + "|".join(sorted(EXTENSIONS, key=len, reverse=True)) + r")\b",
    re.IGNORECASE,
)


def scrub(text: str, known: Iterable[str] = ()) -> str:
    """The sentence without any clear path or file name. It rather takes out too much.

    Known paths and their parts go first; then whatever is quoted and looks like a path, every name
    with a known extension, and from a remaining absolute path to the end (a path may hold spaces).
    """
    for part in _parts(known):
        text = text.replace(part, _HIDDEN)
    text = _QUOTED.sub(_hide_quoted, text)
    text = _FILE_NAME.sub(_HIDDEN, text)
    return _ABSOLUTE.sub(_HIDDEN, text)


def _parts(known: Iterable[str]) -> Sequence[str]:
    parts: set[str] = set()
    for path in known:
        if not path:
            continue
        pure = PurePath(path)
        parts |= {path, pure.name, pure.stem, str(pure.parent)}
    # Short pieces ("a", "/") would tear honest words apart; the other rules catch their paths.
    return sorted((p for p in parts if len(p) > 3), key=len, reverse=True)


def _hide_quoted(match: re.Match[str]) -> str:
    text = match.group(0)
    inner = text[1:-1].strip()
    looks_like_path = "/" in inner or "\\" in inner or bool(re.search(r"\.\w{1,8}$", inner))
    return _HIDDEN if looks_like_path else text
