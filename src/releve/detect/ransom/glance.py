"""A first glance at the head of a changed file: certain or silent, a tenth of the time of a full look.

An encryptor at full speed destroys a file every 0.2 ms; a full comparison takes 1 ms. What a glance
cannot decide goes to `content.compare`.
"""

import hashlib

from releve.detect.ransom.content import Change, Reason, Verdict
from releve.detect.ransom.formats import LIMITS, Blob, Bytes, ContentLimits, is_named
from releve.detect.ransom.formats.uniform import looks_uniform

_HEAD = 4096
_LEAST = 512  # below this a head says too little
_REHEARSALS = 16  # the interpreter adapts to code that ran eight times (PEP 659)
_POINTS = (
    4.0  # what a full comparison gives a file whose structure is lost and whose bytes are uniform
)


def rehearse() -> None:
    """Look at something once, so that the first destroyed file costs no more time than later ones."""
    before, after = Blob(b"releve " * 600), Blob(hashlib.shake_256(b"releve").digest(_HEAD))
    for _ in range(_REHEARSALS):
        glance(before, after)


def glance(before: Bytes, after: Bytes, limits: ContentLimits = LIMITS) -> Change | None:
    """BAD when the head was no random data and is now, of no known kind; None: look closer."""
    old = before.read(0, _HEAD)
    new = after.read(0, _HEAD)
    if len(old) < _LEAST or len(new) < _LEAST or old[:16] == new[:16]:
        return None
    if not looks_uniform(new, limits) or looks_uniform(old[: len(new)], limits):
        return None
    if is_named(Blob(new), limits):  # text it cannot be: its bytes are uniform
        return None
    reason = Reason(
        why_fr="le début du fichier, lisible avant, n'est plus qu'une suite aléatoire",
        why_en="the head of the file, readable before, is now uniformly random",
        score=_POINTS,
    )
    return Change(points=_POINTS, verdict=Verdict.BAD, reasons=(reason,))
