"""Figures as the reader sees them: a number with its unit, and what it rests on."""

import math

from releve.report import words
from releve.report.figures import Measured
from releve.report.promises import Unit
from releve.report.text import NBSP, Voice

FEW = 3  # of fewer cases, a mean or a percentile says nothing more
SYSTEM_ORDER = {"ext4": 0, "xfs": 1, "btrfs": 2}


def systems(where: tuple[str, ...]) -> str:
    return ", ".join(sorted(where, key=lambda fs: (SYSTEM_ORDER.get(fs, 9), fs)))


def duration(voice: Voice, ms: float | None) -> str:
    if ms is None:
        return voice.say(words.NOT_MEASURED)
    return voice.say(words.NEVER) if math.isinf(ms) else voice.duration(ms)


def amount(voice: Voice, value: float | None, unit: Unit) -> str:
    """`3 fichiers`, `12 ms`, `1,04 fois`; a half file (a median) keeps its decimal."""
    if value is None:
        return voice.say(words.NOT_MEASURED)
    match unit:
        case "ms":
            return duration(voice, value)
        case "ratio":
            return voice.say(words.TIMES, n=voice.number(value, 2)).replace(" ", NBSP)
        case "files" | "works" | "differences":
            counted = voice.count(words.UNITS[unit], math.ceil(value))
            if value != int(value):
                counted = counted.replace(voice.number(math.ceil(value)), voice.number(value, 1), 1)
            return counted.replace(" ", NBSP)


def bare(voice: Voice, value: float | None, unit: Unit) -> str:
    """The same without the noun, where the noun stands beside it already."""
    if value is None:
        return voice.say(words.NOT_MEASURED)
    if unit in ("ms", "ratio"):
        return amount(voice, value, unit)
    return voice.number(value, 0 if value == int(value) else 1)


def rests_on(voice: Voice, measured: Measured, unit: Unit) -> str:
    """n, mean, p95, worst, and where: what stands beneath every figure."""
    if measured.value is None:
        if measured.aside is None:
            return ""
        return voice.say(words.ASIDE, x=amount(voice, measured.aside, "files"))
    parts = [voice.say(words.RESTS_N, n=voice.number(measured.n)).replace(" ", NBSP)]
    kinds = [(words.RESTS_WORST, measured.worst)]
    if measured.n >= FEW:
        kinds = [
            (words.RESTS_MEDIAN, measured.median),
            (words.RESTS_MEAN, measured.mean),
            (words.RESTS_P95, measured.p95),
            *kinds,
        ]
    for name, value in kinds:
        if value is not None and value != measured.value:
            parts.append(voice.say(name, x=bare(voice, value, unit)))
    if measured.never:
        parts.append(voice.say(words.RESTS_NEVER, n=voice.number(measured.never)))
    if measured.where:
        parts.append(systems(measured.where))
    return " · ".join(parts)
