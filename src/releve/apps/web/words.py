"""Texts in French and English, and how both write numbers, sizes and times."""

import datetime as dt
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from releve.report.text import FRANCE, typeset

LANGUAGES = ("fr", "en")
_THIN, _HARD = "\u202f", "\u00a0"
_FRENCH = "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."
_ENGLISH = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = {"fr": _FRENCH.split(), "en": _ENGLISH.split()}
_DAYS = {
    "fr": ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"],
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
}
_NEAR = {"fr": ("aujourd’hui", "hier"), "en": ("today", "yesterday")}
_AT = {"fr": "à", "en": "at"}
_UNITS = {"fr": ("o", "ko", "Mo", "Go", "To"), "en": ("B", "kB", "MB", "GB", "TB")}
_STEP = 1000
_SECOND_MS = 1000.0
_EXACT_BELOW = 10

Texts = Mapping[str, Mapping[str, str]]  # language -> "section.key" -> text


def load(*packages: str) -> Texts:
    """The texts of packages, each with `texts/fr.toml` and `texts/en.toml`; the last one counts."""
    return {language: _load(packages, language) for language in LANGUAGES}


def _load(packages: tuple[str, ...], language: str) -> dict[str, str]:
    flat: dict[str, str] = {}
    for package in packages:
        text = (files(package) / "texts" / f"{language}.toml").read_text("utf-8")
        for section, rows in tomllib.loads(text).items():
            for key, value in rows.items():
                # A number is never parted from what it counts.
                counted = value.replace("{n} ", "{n}" + _HARD)
                flat[f"{section}.{key}"] = typeset(counted, "en" if language == "en" else "fr")
    return flat


ZONE = FRANCE


class Words:
    """One language. Missing texts are a bug that a test finds; a reader sees the key."""

    def __init__(self, language: str, texts: Texts) -> None:
        self.language = language
        self._texts = texts[language]

    @property
    def zone(self) -> str:
        """Whose clock all times are shown by."""
        return str(ZONE)

    @property
    def place(self) -> str:
        """The same, as people call it: Paris, for Europe/Paris."""
        return self.zone.rpartition("/")[2].replace("_", " ")

    def __call__(self, key: str, **facts: Any) -> str:
        """The text; with `n` its singular or plural (`key_one`, `key_other`)."""
        if "n" in facts:
            key = f"{key}_{self._form(facts['n'])}"
            facts["n"] = self.number(facts["n"])
        text = self._texts.get(key)
        return key if text is None else text.format(**facts)

    def has(self, key: str) -> bool:
        return key in self._texts

    def either(self, french: str, english: str) -> str:
        """A sentence that came in two languages; the French one when there is no other."""
        return english if self.language == "en" and english else french

    def number(self, value: float, digits: int = 0) -> str:
        text = f"{value:,.{digits}f}"
        if self.language == "fr":
            return text.replace(",", _THIN).replace(".", ",")
        return text

    def size(self, value: float) -> str:
        unit = 0
        while value >= _STEP and unit < len(_UNITS[self.language]) - 1:
            value /= _STEP
            unit += 1
        digits = 1 if unit and value < _EXACT_BELOW else 0
        return f"{self.number(value, digits)}{_HARD}{_UNITS[self.language][unit]}"

    def duration(self, ms: float) -> str:
        if ms < _SECOND_MS:
            return f"{self.number(ms, 1 if ms < _EXACT_BELOW else 0)}{_HARD}ms"
        return f"{self.number(ms / _SECOND_MS, 1)}{_HARD}s"

    def moment(self, at: dt.datetime) -> Markup:
        """Day and time for people, and the exact one for machines."""
        return self._time(at, self._day(at) + " " + at.astimezone(ZONE).strftime("%H:%M"))

    def when(self, at: dt.datetime, now: dt.datetime, *, seconds: bool = False) -> Markup:
        """As people say it: today, yesterday, the day of the week, then the date."""
        local = at.astimezone(ZONE)
        days = (now.astimezone(ZONE).date() - local.date()).days
        if 0 <= days < len(_NEAR[self.language]):
            day = _NEAR[self.language][days]
        else:
            day = f"{_DAYS[self.language][local.weekday()]} {self._day(at)}"
        clock = local.strftime("%H:%M:%S" if seconds else "%H:%M")
        return self._time(at, f"{day} {_AT[self.language]}{_HARD}{clock}")

    def clock(self, at: dt.datetime) -> Markup:
        return self._time(at, at.astimezone(ZONE).strftime("%H:%M:%S"))

    def ago(self, at: dt.datetime, now: dt.datetime) -> str:
        seconds = max(0, int((now - at).total_seconds()))
        for name, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
            if seconds >= length:
                return self(f"ago.{name}", n=seconds // length)
        return self("ago.now")

    def _day(self, at: dt.datetime) -> str:
        local = at.astimezone(ZONE)
        month = _MONTHS[self.language][local.month - 1]
        return f"{local.day}{_HARD}{month}{_HARD}{local.year}"

    @staticmethod
    def _time(at: dt.datetime, text: str) -> Markup:
        exact = at.astimezone(dt.UTC).isoformat(timespec="seconds")
        return Markup('<time datetime="{}">{}</time>').format(exact, text)

    def _form(self, n: float) -> str:
        # French: 0 and 1 are singular; English: only 1 is.
        singular = n < 2 if self.language == "fr" else n == 1
        return "one" if singular else "other"


def choose_language(query: str, cookie: str, accept: str) -> str:
    """By the address, else the choice made before, else the browser's, else French."""
    for wish in (query, cookie):
        if wish in LANGUAGES:
            return wish
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept.split(",")[:20]):
        name, _, quality = part.partition(";q=")
        code = name.strip().lower()[:2]
        if code in LANGUAGES:
            ranked.append((-_quality(quality), place, code))
    return min(ranked)[2] if ranked else "fr"


def _quality(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
