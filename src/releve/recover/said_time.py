"""A time as people say it ("hier", "mardi matin", "12/11 à 18h30") -> the moment meant. Pure.

A day alone means its end: who says "as it was yesterday" wants the last state of that day.
"""

import datetime as dt
import re

import msgspec

from releve.recover.wanted import folded

_DAYS = (
    ("lundi", "monday"), ("mardi", "tuesday"), ("mercredi", "wednesday"), ("jeudi", "thursday"),
    ("vendredi", "friday"), ("samedi", "saturday"), ("dimanche", "sunday"),
)  # fmt: skip
_MONTHS = (
    ("janvier", "january"), ("fevrier", "february"), ("mars", "march"), ("avril", "april"),
    ("mai", "may"), ("juin", "june"), ("juillet", "july"), ("aout", "august"),
    ("septembre", "september"), ("octobre", "october"), ("novembre", "november"),
    ("decembre", "december"),
)  # fmt: skip
_NEAR = {
    "avant-hier": 2, "avant hier": 2, "day before yesterday": 2, "hier": 1, "yesterday": 1,
    "aujourd'hui": 0, "aujourdhui": 0, "today": 0, "ce matin": 0, "ce midi": 0, "this morning": 0,
    "cet apres-midi": 0, "this afternoon": 0, "ce soir": 0, "tonight": 0, "cette nuit": 0,
}  # fmt: skip
_END = dt.time(23, 59, 59, 999_999)
_PARTS = (
    (("apres-midi", "apres midi", "afternoon"), dt.time(18, 30)),  # before the noon that is in it
    (("matinee", "matin", "morning"), dt.time(12)),
    (("midi", "noon"), dt.time(13)),
    (("soiree", "soir", "nuit", "evening", "night", "tonight"), _END),
)
_AGO = re.compile(
    r"(?:il y a|)\s*(\d{1,3})\s*"
    r"(min|minutes?|h|heures?|hours?|j|jours?|days?|sem|semaines?|weeks?)\s*(ago|)"
)
_LENGTHS = {
    "m": dt.timedelta(minutes=1), "h": dt.timedelta(hours=1), "j": dt.timedelta(days=1),
    "d": dt.timedelta(days=1), "s": dt.timedelta(weeks=1), "w": dt.timedelta(weeks=1),
}  # fmt: skip
_CLOCK = re.compile(r"\b(\d{1,2})\s*(?:heures?|h|:)\s*(?:(\d{2})(?::(\d{2}))?)?\b")
_ENGLISH_CLOCK = re.compile(r"\b(0?[1-9]|1[0-2])(?::(\d{2}))?\s*(am|pm)\b")
_DATE = re.compile(r"\b(?P<day>\d{1,2})[/.](?P<month>\d{1,2})(?:[/.](?P<year>\d{4}|\d{2}))?\b")
_ISO = re.compile(r"\b(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})\b")
_NAMED = re.compile(
    r"\b(?P<day>\d{1,2})(?:er|st|nd|rd|th)?\s+(?P<month>[a-z]{3,9})\.?(?:\s+(?P<year>\d{4}))?\b"
)
_NAMED_ENGLISH = re.compile(
    r"\b(?P<month>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{4}))?\b"
)
# Words that change nothing of the moment; any other that was not read may (« avant mardi »).
_SMALL = frozenset({
    "a", "le", "la", "l'", "du", "de", "d'", "en", "vers", "environ", "dans", "au", "fin", "dernier",
    "derniere", "ce", "cet", "cette", "at", "on", "the", "in", "of", "around", "about", "last",
    "this", "end",
})  # fmt: skip


class Meant(msgspec.Struct, frozen=True, kw_only=True):
    """The moment, and whether its hour was said or is the end of what was said."""

    at: dt.datetime
    is_exact: bool


def understood(said: str, now: dt.datetime) -> Meant | None:
    """What is meant, in the zone of `now`; None when it is not understood. Never in the future.

    All of it must be read: a date that there is not, a second hour, a word unknown is None, for a
    moment that is nearly the one meant brings back the wrong version without a word.
    """
    text = " ".join(folded(said).split())
    if (gone := _ago(text, now)) is not None:
        return gone
    clock, rest = _clock(text)
    day, rest = _day(rest, now.date())
    part, rest = _part(text, rest)
    if (day is None and clock is None) or not _SMALL.issuperset(re.findall(r"[^\s,.']+'?", rest)):
        return None
    at = dt.datetime.combine(day or now.date(), clock or part, now.tzinfo)
    if day is None and at > now:  # "18h", said in the morning
        at -= dt.timedelta(days=1)
    return Meant(at=min(at, now), is_exact=clock is not None)


def _ago(text: str, now: dt.datetime) -> Meant | None:
    found = _AGO.fullmatch(text)
    if found is None or not (text.startswith("il y a") or found[3]):
        return None
    return Meant(at=now - int(found[1]) * _LENGTHS[found[2][0]], is_exact=True)


# Each of these reads what it knows and returns it with the rest; what cannot be, it leaves unread.


def _part(text: str, rest: str) -> tuple[dt.time, str]:
    """The end of the part of the day that was said, else of the day."""
    for words, end in _PARTS:
        if any(word in text for word in words):
            return end, re.sub(rf"\b(?:{'|'.join(words)})\b", " ", rest, count=1)
    return _END, rest


def _clock(text: str) -> tuple[dt.time | None, str]:
    """The end of the minute or second that was said: 18:12 includes what came at 18:12:30."""
    at = None
    if (found := _ENGLISH_CLOCK.search(text)) is not None:
        at = _time(int(found[1]) % 12 + (12 if found[3] == "pm" else 0), found[2], None)
    elif (found := _CLOCK.search(text)) is not None:
        at = _time(int(found[1]), found[2], found[3])
    return (at, _without(found)) if found is not None and at is not None else (None, text)


def _time(hour: int, minute: str | None, second: str | None) -> dt.time | None:
    try:
        return dt.time(hour, int(minute or 0), 59 if second is None else int(second), 999_999)
    except ValueError:
        return None


def _without(found: re.Match[str]) -> str:
    return f"{found.string[: found.start()]} {found.string[found.end() :]}"


def _day(text: str, today: dt.date) -> tuple[dt.date | None, str]:
    day, rest = _near(text, today)
    if day is None:
        day, rest = _date(text, today)
    weekday, less = _weekday(rest)
    if weekday is None:
        return day, rest
    if day is None:  # the last before today: on a Tuesday "mardi" is a week ago, else "ce matin"
        return today - dt.timedelta(days=(today.weekday() - weekday - 1) % 7 + 1), less
    return day, less if day.weekday() == weekday else rest


def _near(text: str, today: dt.date) -> tuple[dt.date | None, str]:
    for word, back in _NEAR.items():
        found = re.search(rf"(?<![a-z-]){re.escape(word)}(?![a-z])", text)
        if found is not None:
            return today - dt.timedelta(days=back), _without(found)
    return None, text


def _weekday(text: str) -> tuple[int | None, str]:
    for number, names in enumerate(_DAYS):
        if (found := re.search(rf"\b(?:{'|'.join(names)})\b", text)) is not None:
            return number, _without(found)
    return None, text


def _date(text: str, today: dt.date) -> tuple[dt.date | None, str]:
    for form in (_ISO, _DATE, _NAMED, _NAMED_ENGLISH):
        for found in form.finditer(text):
            day = _make(int(found["day"]), _month(found["month"]), found["year"], today)
            if day is not None:
                return day, _without(found)
    return None, text


def _month(word: str) -> int:
    """Its number, from digits or from letters that begin one month only; else 0."""
    if word.isdigit():
        return int(word)
    fits = [n for n, names in enumerate(_MONTHS, 1) if any(s.startswith(word) for s in names)]
    return fits[0] if len(fits) == 1 else 0


def _make(day: int, month: int, year: str | None, today: dt.date) -> dt.date | None:
    """None for no such date, or one to come. Without a year: the last such day."""
    try:
        if year is None:
            made = dt.date(today.year, month, day)
            return made if made <= today else made.replace(year=today.year - 1)
        made = dt.date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    except ValueError:
        return None
    return made if made <= today else None
