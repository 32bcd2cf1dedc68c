"""What a change did to one file: points with their sentences, from the bytes before and after."""

import enum

import msgspec

from releve.detect.ransom.difference import Difference, Overwrite, differ, overwritten
from releve.detect.ransom.formats import (
    LIMITS,
    PACKED,
    TEXTS,
    Bytes,
    ContentLimits,
    Shape,
    look,
    opaque,
)  # fmt: skip
from releve.detect.ransom.formats.dicom import is_raw
from releve.detect.ransom.twins import holds

__all__ = ["Change", "Reason", "Verdict", "compare", "created", "opaque", "replaced"]

_SEALED = frozenset({"gpg", "age", "openssl", "luks"})
_ARCHIVES = frozenset({"zip", "7z", "gzip", "bzip2", "xz", "zstd", "tar"})
_IMAGES = frozenset({"jpeg", "png", "gif", "bmp", "webp", "tiff", "dicom", "pdf"})
_OFFICE = frozenset({"docx", "xlsx", "pptx", "odt", "ole", "rtf", "epub", "pdf", "html", "xml"})
_FAMILIES = (_IMAGES, _OFFICE, TEXTS, frozenset({"zip", "docx", "xlsx", "pptx", "odt", "epub"}))
# Emptying these is what rotation, lock keepers and editors do all day.
_SHORT_LIVED = (
    ".log", ".tmp", ".temp", ".bak", ".lock", ".lck", ".pid", ".swp", "~", ".out", ".err",
    ".journal", "-journal", "-wal", "-shm", ".part",
)  # fmt: skip
# May hold pictures: uniform bytes count only where they were written over the middle.
_MIXED = frozenset({"ole", "tar", "elf", "tiff", "riff", "evtx"})
# Their checks believe the header; what lies at a changed place is not decoded.
_UNDECODED = frozenset(
    {"jpeg", "bzip2", "xz", "zstd", "7z", "gif", "webp", "mp4", "ogg", "avi", "dicom"}
)


class Verdict(enum.StrEnum):
    CLEAN = "clean"  # positive evidence of honest work
    UNKNOWN = "unknown"  # nothing speaks against it, nothing for it
    BAD = "bad"  # points > 0


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence and what it is worth."""

    why_fr: str
    why_en: str
    score: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of one change."""

    points: float
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()


def created(new: Bytes, name: str, *, limits: ContentLimits = LIMITS) -> Shape:
    """What a new file is; `opaque` then says whether it may be ciphertext."""
    return look(new, name, limits=limits)


def compare(
    before: Bytes,
    after: Bytes,
    *,
    before_name: str = "",
    after_name: str = "",
    limits: ContentLimits = LIMITS,
) -> Change:
    """Judge the same original changed in place, or replaced under its own name."""
    if after.size == 0:
        return _emptied(before, before_name, limits)
    if before.size == 0:
        return _change(limits, clean=not opaque(look(after, after_name, limits=limits), limits))
    difference = differ(before, after, limits)
    if not difference.runs and before.size == after.size:
        return _change(limits, clean=True)
    spots = difference.spots(limits.spots)
    now = look(after, after_name, spots=spots, limits=limits)
    was = _before(before, before_name, after, now, limits)
    written = overwritten(before, after, difference, limits)
    lost = _lost(before, after, was, now, limits)
    reasons = [lost] if lost else []
    reasons += _overwrite_reasons(before, after, was, now, written, limits, alone=lost is None)
    if not reasons and _is_cut(before, after, difference, before_name):
        reasons.append(
            _reason(
                1.0,
                "fichier coupé : moins d'un dixième reste",
                "file cut: less than a tenth is left",
            )
        )
    return _change(limits, *reasons, clean=now.state == "valid" and not now.encrypted)


def replaced(
    before: Bytes,
    new: Bytes,
    *,
    before_name: str = "",
    new_name: str = "",
    limits: ContentLimits = LIMITS,
) -> Change:
    """Judge a new file that stands for an original that is gone."""
    if new.size == 0:
        return _emptied(before, before_name, limits)
    if before.size == 0 or (before.size == new.size and not differ(before, new, limits).runs):
        return _change(limits, clean=True)
    now = look(new, new_name, limits=limits)
    if holds(new, now, before, limits):
        return _change(limits, clean=True)
    was = look(before, before_name, limits=limits)
    lost = _stands_for(was, now, limits)
    clean = now.state == "valid" and not now.encrypted and now.kind not in _ARCHIVES
    return _change(limits, *([lost] if lost else []), clean=clean)


def _before(before: Bytes, name: str, after: Bytes, now: Shape, limits: ContentLimits) -> Shape:
    """What the original was; not decoded where both begin alike and the new one is fine."""
    if now.state == "valid" and not now.encrypted and before.read(0, 8) == after.read(0, 8):
        return Shape(kind=now.kind, state="valid", why="begins as the new one")
    return look(before, name, limits=limits)


def _emptied(before: Bytes, name: str, limits: ContentLimits) -> Change:
    if before.size < limits.small_bytes or name.lower().endswith(_SHORT_LIVED):
        return _change(limits, clean=True)
    return _change(limits, _reason(limits.emptied, "fichier vidé", "file emptied"))


def _lost(
    before: Bytes, after: Bytes, was: Shape, now: Shape, limits: ContentLimits
) -> Reason | None:
    """T: what the file was is gone."""
    if now.encrypted:
        return None if was.encrypted else _sealed(was, now, limits)
    if now.state == "carrier":
        return None if _was_opaque(was, limits) else _carried(after, before, now, limits)
    if now.kind == "constant":
        return None if was.kind == "constant" else _type_lost(was, now, limits)
    if was.state == "valid":
        if now.state != "valid":
            return _type_lost(was, now, limits)
        return _kind_changed(before, after, was, now, limits)
    known = was.kind not in ("unknown", "constant", "empty")
    if (
        now.state == "unknown"
        and now.uniform >= limits.mostly
        and (known or was.uniform < limits.mostly / 2)
    ):
        return _type_lost(was, now, limits)
    return None


def _was_opaque(was: Shape, limits: ContentLimits) -> bool:
    return opaque(was, limits)


def _type_lost(was: Shape, now: Shape, limits: ContentLimits) -> Reason:
    share = round(now.uniform * 100)
    if now.kind == "constant":
        return _reason(
            limits.type_lost,
            f"{_NAMES_FR.get(was.kind, was.kind)} écrasé par un motif constant",
            f"{was.kind} overwritten by one pattern",
        )
    return _reason(
        limits.type_lost,
        f"{was.kind} devenu illisible ({share} % des blocs aléatoires ; {now.kind} : {now.why})",
        f"{was.kind} no longer reads ({share} % of its blocks uniform; {now.kind}: {now.why})",
    )


def _kind_changed(
    before: Bytes, after: Bytes, was: Shape, now: Shape, limits: ContentLimits
) -> Reason | None:
    if (
        was.kind == now.kind
        or was.encrypted
        or any(was.kind in family and now.kind in family for family in _FAMILIES)
    ):
        return None
    if was.kind == "constant" or holds(after, now, before, limits) or was.kind in _ARCHIVES:
        return None
    return _reason(
        limits.kind_changed,
        f"{was.kind} remplacé par {now.kind} sous le même nom",
        f"{was.kind} replaced by {now.kind} under the same name",
    )


def _sealed(was: Shape, now: Shape, limits: ContentLimits) -> Reason:
    if now.kind in _SEALED:
        return _reason(
            limits.sealed, f"{was.kind} chiffré ({now.kind})", f"{was.kind} encrypted ({now.kind})"
        )
    if now.kind in _ARCHIVES:
        return _reason(
            limits.sealed_archive,
            f"{was.kind} enfermé dans une archive chiffrée ({now.kind})",
            f"{was.kind} locked into an encrypted archive ({now.kind})",
        )
    return _reason(
        limits.password,
        f"{was.kind} enregistré avec un mot de passe",
        f"{was.kind} saved with a password",
    )


def _carried(after: Bytes, before: Bytes, now: Shape, limits: ContentLimits) -> Reason | None:
    if holds(after, now, before, limits):
        return None
    if now.kind == "encoded":
        return _reason(
            limits.encoded,
            "contenu remplacé par du chiffré écrit en texte (base64, hexadécimal)",
            "content replaced by ciphertext written as text (base64, hex)",
        )
    return _reason(
        limits.carrier,
        f"{now.kind} qui transporte du chiffré ({now.why})",
        f"{now.kind} that carries ciphertext ({now.why})",
    )


def _overwrite_reasons(
    before: Bytes,
    after: Bytes,
    was: Shape,
    now: Shape,
    written: Overwrite,
    limits: ContentLimits,
    *,
    alone: bool,
) -> list[Reason]:
    """R and I: what the changed bytes became."""
    if now.encrypted:
        return []
    same_length = abs(before.size - after.size) <= limits.footer_bytes
    became = _became(after, was, now, written, same_length=same_length)
    if became:
        few = now.state == "valid" and written.share < limits.few_share
        score = limits.became_uniform_few if few else limits.became_uniform
        return [
            _reason(
                score if alone else limits.also_uniform,
                f"{became} passages modifiés sur {written.looked} devenus aléatoires",
                f"{became} of {written.looked} changed places became uniform",
            )
        ]
    if written.closed_uniform and _is_immutable(was, now):
        return [
            _reason(
                limits.interior if alone else limits.also_uniform,
                f"intérieur d'un fichier {was.kind} écrasé sur place",
                f"interior of a {was.kind} overwritten in place",
            )
        ]
    if alone and now.kind in ("text", "csv") and written.became_flat * 2 > written.looked:
        return [
            _reason(
                limits.encoded,
                "texte remplacé par du chiffré écrit en texte",
                "text replaced by ciphertext written as text",
            )
        ]
    return []


def _became(after: Bytes, was: Shape, now: Shape, written: Overwrite, *, same_length: bool) -> int:
    """Changed places that turned uniform where uniform bytes are foreign."""
    if now.state != "valid":
        return written.became_uniform
    if now.kind in PACKED or now.kind == "sqlite" or was.encrypted:
        return 0
    if now.kind in _MIXED or (now.kind == "dicom" and not is_raw(after)):
        return written.became_uniform if same_length else written.became_closed
    return written.became_uniform


def _is_immutable(was: Shape, now: Shape) -> bool:
    """A format whose inside nobody overwrites, and whose check did not decode the changed place."""
    if was.kind not in PACKED | {"dicom"}:
        return False
    return now.state != "valid" or (was.kind == now.kind and now.kind in _UNDECODED)


def _is_cut(before: Bytes, after: Bytes, difference: Difference, name: str) -> bool:
    kept = not difference.runs and after.size * 10 < before.size
    return kept and before.size > 1024 and not name.lower().endswith(_SHORT_LIVED)  # noqa: PLR2004


def _stands_for(was: Shape, now: Shape, limits: ContentLimits) -> Reason | None:
    if now.encrypted:
        return None if was.encrypted else _sealed(was, now, limits)
    if _was_opaque(was, limits):
        return None
    if now.state == "carrier":
        return _reason(
            limits.carrier,
            f"remplacé par un {now.kind} qui transporte du chiffré",
            f"replaced by a {now.kind} that carries ciphertext",
        )
    if now.state == "valid":
        if now.kind in _ARCHIVES and now.kind != was.kind:
            return _reason(
                limits.opaque_archive,
                f"remplacé par une archive ({now.kind}) où l'original n'est pas reconnu",
                f"replaced by an archive ({now.kind}) in which the original is not recognised",
            )
        return None
    if opaque(now, limits):
        return _reason(
            limits.sealed,
            "remplacé par un fichier aux octets aléatoires",
            "replaced by a file of uniform bytes",
        )
    return _type_lost(was, now, limits) if was.state == "valid" else None


def _reason(score: float, why_fr: str, why_en: str) -> Reason:
    return Reason(why_fr=why_fr, why_en=why_en, score=score)


def _change(limits: ContentLimits, *reasons: Reason, clean: bool = False) -> Change:
    points = min(limits.most_per_file, sum([reason.score for reason in reasons]))
    verdict = Verdict.BAD if points > 0 else Verdict.CLEAN if clean else Verdict.UNKNOWN
    return Change(points=points, verdict=verdict, reasons=reasons)


_NAMES_FR = {"text": "texte", "jpeg": "image", "png": "image"}
