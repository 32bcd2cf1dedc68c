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
    ("janv", "jan"), ("fevr", "fev", "feb"), ("mars", "mar"), ("avr", "apr"), ("mai", "may"), ("juin", "jun"),
    ("juil", "jul"), ("aout", "aug"), ("sept", "sep"), ("oct",), ("nov",), ("dec",),
)  # fmt: skip
_NEAR = {
    "avant-hier": 2, "avant hier": 2, "day before yesterday": 2, "hier": 1, "yesterday": 1,
    "aujourd'hui": 0, "aujourdhui": 0, "today": 0, "ce matin": 0, "ce midi": 0, "this morning": 0,
    "cet apres-midi": 0, "this afternoon": 0, "ce soir": 0, "tonight": 0, "cette nuit": 0,
}  # fmt: skip
_PARTS = (
    (("apres-midi", "apres midi", "afternoon"), dt.time(18, 30)),  # before the noon that is in it
    (("matin", "morning"), dt.time(12)),
    (("midi", "noon"), dt.time(13)),
)
_AGO = re.compile(r"(?:il y a|)\s*(\d{1,3})\s*(min|h|heure|hour|j|jour|day|sem|week)\w*\s*(ago|)")
_LENGTHS = {
    "min": dt.timedelta(minutes=1), "h": dt.timedelta(hours=1), "j": dt.timedelta(days=1),
    "d": dt.timedelta(days=1), "s": dt.timedelta(weeks=1), "w": dt.timedelta(weeks=1),
}  # fmt: skip
_CLOCK = re.compile(r"\b(\d{1,2})\s*(?:h|:|heures?)\s*(\d{2})?\b")
_ENGLISH_CLOCK = re.compile(r"\b(\d{1,2})(?::(\d{2}))?\s*(am|pm)\b")
_DATE = re.compile(r"\b(\d{1,2})[/.](\d{1,2})(?:[/.](\d{2,4}))?\b")
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_NAMED = re.compile(r"\b(\d{1,2})(?:er|st|nd|rd|th)?\s+([a-z]{3,9})\.?(?:\s+(\d{4}))?\b")
_NAMED_ENGLISH = re.compile(r"\b([a-z]{3,9})\s+(\d{1,2})(?:st|nd|rd|th)?\b")


class Meant(msgspec.Struct, frozen=True, kw_only=True):
    """The moment, and whether its hour was said or is the end of what was said."""

    at: dt.datetime
    is_exact: bool


def understood(said: str, now: dt.datetime) -> Meant | None:
    """What is meant, in the zone of `now`; None when it is not understood. Never in the future."""
    text = " ".join(folded(said).split())
    if (gone := _ago(text, now)) is not None:
        return gone
    day = _day(text, now.date())
    clock = _clock(text)
    if day is None and clock is None:
        return None
    is_near = day is None
    at = dt.datetime.combine(day or now.date(), clock or _part(text), now.tzinfo)
    if clock is not None:
        at = at.replace(second=59, microsecond=999_999)  # 18:12 includes what came at 18:12:30
    if is_near and at > now:  # "18h", said in the morning
        at -= dt.timedelta(days=1)
    return Meant(at=min(at, now), is_exact=clock is not None)


def _ago(text: str, now: dt.datetime) -> Meant | None:
    found = _AGO.fullmatch(text)
    if found is None or not (text.startswith("il y a") or found[3]):
        return None
    unit = found[2]
    length = _LENGTHS["min" if unit == "min" else unit[0]]
    return Meant(at=now - int(found[1]) * length, is_exact=True)


def _part(text: str) -> dt.time:
    """The end of the part of the day that was said, else of the day."""
    for words, end in _PARTS:
        if any(word in text for word in words):
            return end
    return dt.time(23, 59, 59, 999_999)


def _clock(text: str) -> dt.time | None:
    english = _ENGLISH_CLOCK.search(text)
    if english is not None:
        hour, minute = int(english[1]) % 12, int(english[2] or 0)
        return _time(hour + (12 if english[3] == "pm" else 0), minute)
    found = _CLOCK.search(text)
    return _time(int(found[1]), int(found[2] or 0)) if found else None


def _time(hour: int, minute: int) -> dt.time | None:
    return dt.time(hour, minute) if hour < 24 and minute < 60 else None


def _day(text: str, today: dt.date) -> dt.date | None:
    for word, back in _NEAR.items():
        if re.search(rf"(?<![a-z-]){re.escape(word)}(?![a-z])", text):
            return today - dt.timedelta(days=back)
    return _date(text, today) or _weekday(text, today)


def _weekday(text: str, today: dt.date) -> dt.date | None:
    """The last one before today: on a Tuesday "mardi" is a week ago, for else one says "ce matin"."""
    for number, names in enumerate(_DAYS):
        if any(re.search(rf"\b{name}\b", text) for name in names):
            return today - dt.timedelta(days=(today.weekday() - number - 1) % 7 + 1)
    return None


def _date(text: str, today: dt.date) -> dt.date | None:
    if (iso := _ISO.search(text)) is not None:
        return _make(int(iso[3]), int(iso[2]), int(iso[1]), today)
    if (plain := _DATE.search(text)) is not None:
        return _make(int(plain[1]), int(plain[2]), int(plain[3] or 0), today)
    if (named := _NAMED.search(text)) is not None and (month := _month(named[2])):
        return _make(int(named[1]), month, int(named[3] or 0), today)
    if (english := _NAMED_ENGLISH.search(text)) is not None and (month := _month(english[1])):
        return _make(int(english[2]), month, 0, today)
    return None


def _month(word: str) -> int:
    starts = (n for n, names in enumerate(_MONTHS, 1) if any(word.startswith(s) for s in names))
    return next(starts, 0)


def _make(day: int, month: int, year: int, today: dt.date) -> dt.date | None:
    """Without a year: the last such day that is not in the future."""
    try:
        if year:
            return dt.date(year if year > 99 else 2000 + year, month, day)
        made = dt.date(today.year, month, day)
        return made if made <= today else made.replace(year=today.year - 1)
    except ValueError:
        return None
