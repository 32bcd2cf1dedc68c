"""Why somebody was stopped, as steps: each sentence, its points, the sum so far, no names."""

import itertools
from collections.abc import Iterator, Sequence

from releve.model.event import Reason
from releve.model.lines import Point
from releve.report import words
from releve.report.document import Step
from releve.report.redact import without_names
from releve.report.text import Voice

MOST_REASONS = 12


def reason_steps(
    points: Sequence[Point | Reason], voice: Voice, names: frozenset[str] = frozenset()
) -> Iterator[Step]:
    """One step for each run of like sentences; beyond the most that is shown, they are counted."""
    total, whole = 0.0, sum(point.score for point in points) or 1.0
    runs = [
        (said, list(same))
        for said, same in itertools.groupby(points, key=lambda point: sentence(point, voice, names))
    ]
    for (said, lang), same in runs[:MOST_REASONS]:
        score = sum(point.score for point in same)
        total += score
        times = voice.say(words.TIMES_SEEN, n=len(same)) + " · " if len(same) > 1 else ""
        yield Step(
            mark="+" + voice.say(words.POINTS, score=voice.number(score, 1)),
            words=said,
            small=times + voice.say(words.POINTS_TOTAL, score=voice.number(total, 1)),
            share=total / whole,
            lang=lang,
        )
    if len(runs) > MOST_REASONS:
        more = voice.count(words.MORE_REASONS, len(runs) - MOST_REASONS)
        said_total = voice.say(words.POINTS_TOTAL, score=voice.number(whole, 1))
        yield Step(mark="…", words=more, small=said_total, share=1.0)


def sentence(point: Point | Reason, voice: Voice, names: frozenset[str]) -> tuple[str, str]:
    """The reason without names, and its language when that is not the reader's."""
    if voice.lang == "fr":
        return without_names(point.why, names), ""
    said = point.why_en or point.why
    return without_names(said, names), "" if point.why_en else "fr"
