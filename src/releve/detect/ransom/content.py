"""What a change did to one file: points with their sentences, from the bytes before and after."""

import enum

import msgspec

from releve.detect.ransom.difference import Difference, differ, overwritten
from releve.detect.ransom.formats import LIMITS, Bytes, ContentLimits, Shape, look, opaque
from releve.detect.ransom.signs import ARCHIVES, Case, Reason, lost, overwrite, reason, stands_for
from releve.detect.ransom.twins import holds

__all__ = ["Change", "Reason", "Verdict", "compare", "created", "opaque", "replaced"]

# Emptying these is what rotation, lock keepers and editors do all day.
_SHORT_LIVED = (
    ".log", ".tmp", ".temp", ".bak", ".lock", ".lck", ".pid", ".swp", "~", ".out", ".err",
    ".journal", "-journal", "-wal", "-shm", ".part",
)  # fmt: skip
_SHORT_LIVED_HEADS = ("~$", ".~", "~")


class Verdict(enum.StrEnum):
    CLEAN = "clean"  # positive evidence of honest work
    UNKNOWN = "unknown"  # nothing speaks against it, nothing for it
    BAD = "bad"  # points > 0


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
    now = look(after, after_name, spots=difference.spots(limits.spots), limits=limits)
    if not difference.runs and after.size > before.size:
        # Every byte of the original still stands at its place: an append destroys nothing.
        return _change(limits, clean=not opaque(now, limits))
    was = _before(before, before_name, after, now, limits)
    case = Case(before=before, after=after, was=was, now=now, limits=limits)
    gone = lost(case)
    written = overwritten(before, after, difference, limits)
    over = overwrite(case, difference, written, alone=gone is None)
    found = [one for one in (gone, over) if one]
    if not found and _is_cut(before, after, difference, before_name):
        found.append(_cut(limits))
    return _change(limits, *found, clean=now.state == "valid" and not now.encrypted)


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
    found = stands_for(Case(before=before, after=new, was=was, now=now, limits=limits))
    clean = now.state == "valid" and not now.encrypted and now.kind not in ARCHIVES
    return _change(limits, *([found] if found else []), clean=clean)


def _before(before: Bytes, name: str, after: Bytes, now: Shape, limits: ContentLimits) -> Shape:
    """What the original was; not decoded where both begin alike and the new one is fine."""
    if now.state == "valid" and not now.encrypted and before.read(0, 8) == after.read(0, 8):
        return Shape(kind=now.kind, state="valid", why="begins as the new one")
    return look(before, name, limits=limits)


def _emptied(before: Bytes, name: str, limits: ContentLimits) -> Change:
    if before.size < limits.small_bytes or _is_short_lived(name):
        return _change(limits, clean=True)
    return _change(limits, reason(limits.emptied, "fichier vidé", "file emptied"))


def _is_short_lived(name: str) -> bool:
    last = name.rsplit("/", 1)[-1].lower()
    return last.endswith(_SHORT_LIVED) or last.startswith(_SHORT_LIVED_HEADS)


def _is_cut(before: Bytes, after: Bytes, difference: Difference, name: str) -> bool:
    kept = not difference.runs and after.size * 10 < before.size
    return kept and before.size > 1024 and not _is_short_lived(name)


def _cut(limits: ContentLimits) -> Reason:
    return reason(
        limits.cut, "fichier coupé : moins d'un dixième reste", "file cut: under a tenth is left"
    )


def _change(limits: ContentLimits, *reasons: Reason, clean: bool = False) -> Change:
    points = min(limits.most_per_file, sum([one.score for one in reasons]))
    verdict = Verdict.BAD if points > 0 else Verdict.CLEAN if clean else Verdict.UNKNOWN
    return Change(points=points, verdict=verdict, reasons=reasons)
