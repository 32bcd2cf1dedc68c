"""Judges one changed file from its bytes, the bytes before, and what rules and indicators said."""

from releve.detect.files.kinds import DECODED, SEALED, ending, is_active, is_program, promised
from releve.detect.files.limits import LIMITS, FileLimits
from releve.detect.ransom.content import compare
from releve.detect.ransom.formats import Bytes, Shape, look, opaque
from releve.model.clean import Facts, Verdict, Why


def judge(
    path: str,
    after: Bytes,
    before: Bytes | None,
    *,
    sha256: str,
    matches: tuple[Why, ...] = (),
    limits: FileLimits = LIMITS,
) -> Facts:
    """Judge a version that a snapshot brought; `before` is the version of the snapshot before.

    `matches` are the rules and indicators that fit; each makes the file bad.
    """
    shape = look(after, path)
    why = list(matches)
    points = 0.0
    if before is not None:
        change = compare(before, after, before_name=path, after_name=path)
        # A program that is a program still was updated: its packed parts move, nobody's work is lost.
        if not (is_program(before) and is_program(after)):
            points = change.points
            why += [Why(code="destroyed", fr=r.why_fr, en=r.why_en) for r in change.reasons]
    elif after.size and (said := _foreign(path, shape)):
        points, why = _worth(said, limits), [*why, said]
    return Facts(
        sha256=sha256,
        size=after.size,
        kind=shape.kind,
        state=shape.state,
        uniform=round(shape.uniform, 3),
        is_opaque=opaque(shape),
        is_active=is_active(path, after),
        points=points,
        matches=tuple(match.code for match in matches),
        verdict=verdict_of(points, bool(matches), limits),
        why=tuple(why),
    )


def verdict_of(points: float, matched: bool, limits: FileLimits = LIMITS) -> Verdict:
    """The verdict of one file by its two kinds of evidence."""
    if matched:
        return Verdict.BAD
    return Verdict.SUSPECT if points >= limits.destroyed else Verdict.CLEAN


def unread(sha256: str, size: int, fr: str, en: str) -> Facts:
    """A version that nobody could judge."""
    why = (Why(code="unjudged", fr=fr, en=en),)
    return Facts(sha256=sha256, size=size, verdict=Verdict.UNJUDGED, why=why)


def _worth(why: Why, limits: FileLimits) -> float:
    return limits.incomplete if why.code == "incomplete" else limits.added_opaque


def _foreign(path: str, shape: Shape) -> Why | None:
    """A document's name on bytes that do not fit it; a sealed ending promises nothing."""
    named = promised(path)
    if not named or ending(path) in SEALED:
        return None
    if shape.state == "carrier":
        return Why(
            code="carrier",
            fr=f"{named} d'apparence valable qui transporte du chiffré",
            en=f"a {named} that looks sound and carries ciphertext",
        )
    if named not in DECODED or shape.state == "valid":
        return None
    if shape.state == "broken" and shape.kind not in ("unknown", "constant", "encoded"):
        return Why(
            code="incomplete",
            fr=f"{named} incomplet : {shape.kind} reconnu, mais pas jusqu'au bout",
            en=f"{named} incomplete: a {shape.kind}, but not to its end",
        )
    if opaque(shape):
        share = round(shape.uniform * 100)
        return Why(
            code="foreign",
            fr=f"nommé {named}, illisible ({share} % des blocs aléatoires)",
            en=f"named {named}, unreadable ({share} % of its blocks uniform)",
        )
    return None
