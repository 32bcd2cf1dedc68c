"""The console's texts in French and English."""

import datetime as dt
from collections.abc import Mapping

from markupsafe import Markup

from releve.apps.web import words
from releve.apps.web.words import LANGUAGES, choose_language
from releve.report import severities
from releve.report.text import said_month

__all__ = ["LANGUAGES", "Words", "all_texts", "choose_language"]

_JUST, _EXACT, _MINUTE, _HOUR, _DAY = 5, 10, 60, 3600, 86400
_HARD = "\u00a0"
_OWN = words.load("releve.apps.console")
_TEXTS = {language: {**texts, **severities.texts(language)} for language, texts in _OWN.items()}


def all_texts(language: str) -> Mapping[str, str]:
    return _TEXTS[language]


class Words(words.Words):
    """One language of the console."""

    def __init__(self, language: str) -> None:
        super().__init__(language, _TEXTS)

    def week(self, iso: str) -> str:
        """A week of ISO 8601 (2026-W47) as people say it, without the word "week"."""
        year, _, number = iso.partition("-W")
        return self("span.week_of", week=number, year=year) if number.isdecimal() else iso

    def sums(self, detail: str) -> str:
        """An insurer's look (2026-W47, 5): at which week's sheet, over how many structures."""
        week, _, count = detail.rpartition(", ")
        if not count.isdecimal():
            return detail
        return self("trail_detail.sums", week=self.week(week), n=int(count))

    def lasting(self, seconds: float) -> str:
        """A span as people say it: exact while it is short, rounded down once it is long.

        Seconds at least: a backup's age in milliseconds says nothing.
        """
        if seconds < _MINUTE:
            exact = 0 < seconds < _EXACT
            return f"{self.number(seconds if exact else int(seconds), 1 if exact else 0)}{_HARD}s"
        if seconds < _HOUR:
            return self("span.minutes", n=int(seconds // _MINUTE))
        if seconds < 2 * _DAY:
            hours, rest = divmod(int(seconds), _HOUR)
            return self("span.hours", n=hours, minutes=f"{rest // _MINUTE:02d}")
        return self("span.days", n=int(seconds // _DAY))

    def since(self, seconds: float) -> str:
        """How long somebody has been waiting: what just began, a clock's step back included, is no figure."""
        if seconds < _JUST:
            return self("span.just")
        if seconds < _MINUTE:
            return self("span.since", time=self("span.seconds", n=int(seconds)))
        return self("span.since", time=self.lasting(seconds))

    def exactly(self, seconds: float) -> str:
        """Like `lasting`, with the seconds up to an hour: for times that are compared."""
        if _MINUTE <= seconds < _HOUR:
            minutes, rest = divmod(int(seconds), _MINUTE)
            return self("span.exact", minutes=minutes, seconds=f"{rest:02d}")
        return self.lasting(seconds)

    def hours(self, seconds: float) -> str:
        """A legal delay counts hours, however many there are."""
        hours, rest = divmod(int(seconds), _HOUR)
        return self("span.hours", n=hours, minutes=f"{rest // _MINUTE:02d}")

    def month(self, name: str) -> str:
        """A month told as 2026-11, as people say it."""
        return said_month(name, "en" if self.language == "en" else "fr")

    def day(self, day: dt.date | str) -> str:
        """As a person writes it; content gives its days as text (2026-11-22)."""
        day = dt.date.fromisoformat(day) if isinstance(day, str) else day
        return self._day(dt.datetime.combine(day, dt.time(12), words.ZONE))

    def moment_ns(self, ns: int) -> Markup:
        """A time of the vault's clock; a dash for none."""
        return self.moment(dt.datetime.fromtimestamp(ns / 1e9, dt.UTC)) if ns else Markup("—")
