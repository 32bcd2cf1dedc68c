"""The signs of destruction in one change (endpoint.md 5.2): T, R, I and their sentences."""

import msgspec

from releve.detect.ransom.difference import Difference, Overwrite
from releve.detect.ransom.formats import (
    PACKED,
    TEXTS,
    Bytes,
    ContentLimits,
    Shape,
    opaque,
)
from releve.detect.ransom.formats.dicom import is_raw
from releve.detect.ransom.formats.uniform import looks_uniform
from releve.detect.ransom.twins import holds

SEALED = frozenset({"gpg", "age", "openssl", "luks"})
ARCHIVES = frozenset({"zip", "7z", "gzip", "bzip2", "xz", "zstd", "tar", "git-pack", "git-object"})
_IMAGES = frozenset({"jpeg", "png", "gif", "bmp", "webp", "tiff", "dicom", "pdf"})
_OFFICE = frozenset(
    {"docx", "xlsx", "pptx", "odt", "ole", "rtf", "epub", "pdf", "html", "xml", "zip"}
)
# Within one of these a conversion is everyday work.
_FAMILIES = (_IMAGES, _OFFICE, TEXTS)
# May hold pictures: uniform bytes count only where they were written over the middle.
_MIXED = frozenset({"ole", "tar", "elf", "tiff", "riff", "evtx"})
# Their checks believe the header; what lies at a changed place is not decoded.
_UNDECODED = frozenset({
    "jpeg", "bzip2", "xz", "zstd", "7z", "gif", "webp", "mp4", "ogg", "avi", "dicom",
    "git-pack", "git-index",
})  # fmt: skip
_LONGEST_HEADER = 1024
_HEAD = 512
_FRENCH = {"text": "texte", "unknown": "fichier", "constant": "fichier", "encoded": "texte"}
_ENGLISH = {"text": "text", "unknown": "file", "constant": "file", "encoded": "text"}


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence and what it is worth."""

    why_fr: str
    why_en: str
    score: float


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One change as the signs see it."""

    before: Bytes
    after: Bytes
    was: Shape
    now: Shape
    limits: ContentLimits

    @property
    def kept_length(self) -> bool:
        """Same length, but for a footer of keys."""
        return abs(self.before.size - self.after.size) <= self.limits.footer_bytes


def reason(score: float, why_fr: str, why_en: str) -> Reason:
    return Reason(why_fr=why_fr, why_en=why_en, score=score)


def lost(case: Case) -> Reason | None:
    """T: what the file was is gone from under its name."""
    was, now, limits = case.was, case.now, case.limits
    if now.encrypted:
        return None if was.encrypted else _sealed(was, now, limits)
    if now.state == "carrier":
        return None if opaque(was, limits) else _carried(case)
    if now.kind == "constant":
        return None if was.kind == "constant" else _wiped(was, limits)
    if was.state == "valid":
        return _unreadable(was, now, limits) if now.state != "valid" else _changed_kind(case)
    if now.state != "unknown" or now.uniform < limits.mostly:
        return None
    known = was.kind not in ("unknown", "constant", "empty")
    return _unreadable(was, now, limits) if known or was.uniform < limits.mostly / 2 else None


def stands_for(case: Case) -> Reason | None:
    """A: what the new file is that stands for an original that is gone."""
    was, now, limits = case.was, case.now, case.limits
    if now.encrypted:
        return None if was.encrypted else _sealed(was, now, limits)
    if opaque(was, limits):
        return None
    if now.state == "carrier":
        return _carried(case)
    if now.state == "valid":
        return _opaque_archive(now, limits) if now.kind in ARCHIVES - {was.kind} else None
    if opaque(now, limits):
        return reason(
            limits.sealed,
            f"{_fr(was)} remplacé par un fichier aux octets aléatoires",
            f"{_en(was)} replaced by a file of uniform bytes",
        )
    if now.kind == "constant":
        return _wiped(was, limits)
    return _unreadable(was, now, limits) if was.state == "valid" else None


def overwrite(
    case: Case, difference: Difference, written: Overwrite, *, alone: bool
) -> Reason | None:
    """R and I: what the changed places became; worth less beside T, which is the same fact."""
    limits = case.limits
    if case.now.encrypted:
        return None
    if became := _became(case, written):
        return reason(
            _became_score(case, written) if alone else limits.also_uniform,
            f"passages modifiés devenus aléatoires : {became} sur {written.looked}",
            f"changed places that became uniform: {became} of {written.looked}",
        )
    if _is_overwritten(case, difference, written):
        return reason(
            limits.interior if alone else limits.also_uniform,
            f"intérieur d'un fichier {_fr(case.was)} écrasé sur place",
            f"interior of a {_en(case.was)} file overwritten in place",
        )
    flat = written.became_flat * 2 > written.looked
    if alone and flat and case.now.kind in ("text", "csv") and not _is_copy(case):
        return reason(
            limits.encoded,
            "texte remplacé par du chiffré écrit en texte",
            "text replaced by ciphertext written as text",
        )
    return None


def _became(case: Case, written: Overwrite) -> int:
    """Changed places that turned uniform where uniform bytes are foreign."""
    was, now = case.was, case.now
    if now.kind in PACKED or was.encrypted:
        return written.became_uniform if now.state != "valid" and was.state == "valid" else 0
    if now.state != "valid":
        return written.became_uniform
    if now.kind == "sqlite":  # pages were checked one by one, and may hold pictures
        return 0
    if now.kind in _MIXED or (now.kind == "dicom" and not is_raw(case.after)):
        return written.became_uniform if case.kept_length else written.became_closed
    return written.became_uniform


def _became_score(case: Case, written: Overwrite) -> float:
    limits = case.limits
    if case.was.kind == case.now.kind == "unknown" and not _lost_head(case):
        # A mail store or a practice's own database may put packed documents into freed pages.
        if written.share < limits.unknown_share:
            return limits.became_uniform_unknown
        return limits.became_uniform_few
    if case.now.state == "valid" and written.share < limits.few_share:
        return limits.became_uniform_few
    return limits.became_uniform


def _lost_head(case: Case) -> bool:
    """A format nobody knows here still keeps its header: what lost it lost everything."""
    old, new = case.before.read(0, _HEAD), case.after.read(0, _HEAD)
    return looks_uniform(new, case.limits) and not looks_uniform(old, case.limits)


def _is_overwritten(case: Case, difference: Difference, written: Overwrite) -> bool:
    """Places in a format that nobody edits in place, and whose check did not decode them."""
    was, now = case.was, case.now
    if was.kind not in PACKED and was.kind != "dicom":
        return False
    if written.closed_uniform:
        return now.state != "valid" or (was.kind == now.kind and now.kind in _UNDECODED)
    # The head is kept to the byte, all behind it is new, the length is the same: no encoder.
    first = difference.runs[0].start if difference.runs else 0
    alike = case.kept_length and first >= _LONGEST_HEADER and written.uniform > 0
    return alike and now.kind in _UNDECODED - {"jpeg", "dicom"}


def _is_copy(case: Case) -> bool:
    return holds(case.after, case.now, case.before, case.limits)


def _unreadable(was: Shape, now: Shape, limits: ContentLimits) -> Reason:
    share = round(now.uniform * 100)
    return reason(
        limits.type_lost,
        f"{_fr(was)} devenu illisible ({share} % des blocs aléatoires)",
        f"{_en(was)} no longer reads ({share} % of its blocks uniform; {now.kind}: {now.why})",
    )


def _wiped(was: Shape, limits: ContentLimits) -> Reason:
    return reason(
        limits.type_lost,
        f"{_fr(was)} écrasé par un motif constant",
        f"{_en(was)} overwritten by one pattern",
    )


def _changed_kind(case: Case) -> Reason | None:
    was, now = case.was, case.now
    if was.kind == now.kind or was.encrypted or was.kind in ARCHIVES or was.kind == "empty":
        return None
    if any(was.kind in family and now.kind in family for family in _FAMILIES) or _is_copy(case):
        return None
    return reason(
        case.limits.kind_changed,
        f"{_fr(was)} remplacé par {_fr(now)} sous le même nom",
        f"{_en(was)} replaced by {_en(now)} under the same name",
    )


def _sealed(was: Shape, now: Shape, limits: ContentLimits) -> Reason:
    if now.kind in SEALED:
        return reason(
            limits.sealed, f"{_fr(was)} chiffré ({now.kind})", f"{_en(was)} encrypted ({now.kind})"
        )
    if now.kind in ARCHIVES:
        return reason(
            limits.sealed_archive,
            f"{_fr(was)} enfermé dans une archive chiffrée ({now.kind})",
            f"{_en(was)} locked into an encrypted archive ({now.kind})",
        )
    return reason(
        limits.password,
        f"{_fr(was)} enregistré avec un mot de passe",
        f"{_en(was)} saved with a password",
    )


def _carried(case: Case) -> Reason | None:
    if _is_copy(case):
        return None
    if case.now.kind == "encoded":
        return reason(
            case.limits.encoded,
            "contenu remplacé par du chiffré écrit en texte (base64, hexadécimal)",
            "content replaced by ciphertext written as text (base64, hex)",
        )
    return reason(
        case.limits.carrier,
        f"{_fr(case.now)} d'apparence valable qui transporte du chiffré",
        f"{_en(case.now)} that carries ciphertext ({case.now.why})",
    )


def _opaque_archive(now: Shape, limits: ContentLimits) -> Reason:
    return reason(
        limits.opaque_archive,
        f"remplacé par une archive {_fr(now)} où l'original n'est pas reconnu",
        f"replaced by a {_en(now)} archive in which the original is not recognised",
    )


def _fr(shape: Shape) -> str:
    return _FRENCH.get(shape.kind, shape.kind.upper())


def _en(shape: Shape) -> str:
    return _ENGLISH.get(shape.kind, shape.kind.upper())
