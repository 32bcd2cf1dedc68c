"""Two languages, one voice: texts, numbers, durations and dates as the reader expects them."""

import datetime as dt
import re
from collections.abc import Iterable
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

Lang = Literal["fr", "en"]
LANGS: tuple[Lang, ...] = ("fr", "en")
NBSP = "\u00a0"
TIED = "{n}" + NBSP  # a number stays on the line of what it counts
SECOND_MS, MINUTE_MS = 1000, 60_000
HOUR_S, DAY_S = 3600, 86_400
STEP = 1000  # from one unit of size to the next
SIZES = {"fr": ("o", "ko", "Mo", "Go", "To"), "en": ("B", "kB", "MB", "GB", "TB")}
SMALL = 10  # below it, the first decimal still says something
MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
}


def _of_france() -> dt.tzinfo:
    try:
        return ZoneInfo("Europe/Paris")
    except ZoneInfoNotFoundError:  # a machine without the zone's data shows UTC, and says so
        return dt.UTC


FRANCE = _of_france()  # whose clock a page shows where no structure and no machine says another


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """One text in both languages; `{name}` marks what is filled in."""

    fr: str
    en: str


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A text that depends on a number `{n}`. French: 0 and 1 are singular; English: only 1."""

    one: Text
    many: Text


def text(fr: str, en: str) -> Text:
    return Text(fr=fr, en=en)


def counted(fr_one: str, fr_many: str, en_one: str, en_many: str) -> Counted:
    return Counted(one=text(fr_one, en_one), many=text(fr_many, en_many))


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What people call attacks and honest tasks, by id."""

    attacks: dict[str, Text] = {}
    tasks: dict[str, Text] = {}


class Voice:
    """Says texts, numbers, durations and dates in one language, and what people call attacks."""

    def __init__(self, lang: Lang, names: Names | None = None) -> None:
        self.lang = lang
        self.names = names or Names()

    def attack(self, name: str) -> str:
        """What a person calls it, where somebody has said so; else its id."""
        said = self.names.attacks.get(name)
        return self.say(said) if said else name

    def task(self, name: str) -> str:
        """The same for honest work: a task and an attack may share an id, and mean other things."""
        said = self.names.tasks.get(name)
        return self.say(said) if said else name

    def listed(self, parts: Iterable[str]) -> str:
        """Parts of one remark, as each language separates them."""
        return (NBSP + "; " if self.lang == "fr" else "; ").join(parts)

    def say(self, what: Text, **facts: object) -> str:
        chosen = what.fr if self.lang == "fr" else what.en
        return typeset(chosen.format(**facts), self.lang) if facts else typeset(chosen, self.lang)

    def count(self, what: Counted, n: int, **facts: object) -> str:
        singular = n in (0, 1) if self.lang == "fr" else n == 1
        chosen = what.one if singular else what.many
        joined = Text(fr=chosen.fr.replace("{n} ", TIED), en=chosen.en.replace("{n} ", TIED))
        return self.say(joined, n=self.number(n), **facts)

    def number(self, value: float, decimals: int = 0) -> str:
        """`1 234,5` in French, `1,234.5` in English; a number never breaks over two lines."""
        plain = f"{value:,.{decimals}f}"
        if self.lang == "en":
            return plain
        return plain.replace(",", NBSP).replace(".", ",")

    def duration(self, ms: float) -> str:
        """Milliseconds below one second, then seconds, then minutes from two on."""
        if ms < SECOND_MS:
            return f"{self.number(ms, 1 if 0 < ms < SMALL else 0)}{NBSP}ms"
        if ms < 2 * MINUTE_MS:
            return f"{self.number(ms / SECOND_MS, 1)}{NBSP}s"
        return f"{self.number(ms / MINUTE_MS, 1)}{NBSP}min"

    def age(self, seconds: float) -> str:
        """Hours and days where minutes say nothing any more; nobody counts an age in milliseconds."""
        if seconds < 1:
            return f"{self.number(seconds, 1)}{NBSP}s"
        if seconds < 2 * HOUR_S:
            return self.duration(seconds * 1000)
        if seconds < 2 * DAY_S:
            return f"{self.number(seconds / HOUR_S, 1)}{NBSP}h"
        return f"{self.number(seconds / DAY_S, 1)}{NBSP}{'j' if self.lang == 'fr' else 'd'}"

    def size(self, count: int) -> str:
        """In the unit that leaves something to read: a first backup may be of a few kilobytes."""
        value, unit = float(count), 0
        while round(value, 1 if unit else 0) >= STEP and unit < len(SIZES[self.lang]) - 1:
            value, unit = value / STEP, unit + 1
        return f"{self.number(value, 1 if unit else 0)}{NBSP}{SIZES[self.lang][unit]}"

    def moment(self, at: str | dt.datetime) -> str:
        """An ISO 8601 time as a person writes it; what is not a time is shown as it came.

        Of a text, by the clock of France, as the console shows it; of a moment, by its own zone.
        """
        try:
            when = dt.datetime.fromisoformat(at) if isinstance(at, str) else at
        except ValueError:
            return str(at)
        if isinstance(at, str) and when.tzinfo is not None:
            when = when.astimezone(FRANCE)
        clock = when.strftime("%H:%M")
        zone = when.tzname() or ""
        joint = "à" if self.lang == "fr" else "at"
        # A narrow column breaks it between day and clock, never within either.
        return f"{self.day(when)} {f'{joint} {clock} {zone}'.strip().replace(' ', NBSP)}"

    def day(self, at: str | dt.date) -> str:
        """A date as a person writes it; what is not a date is shown as it came."""
        try:
            when = dt.date.fromisoformat(at) if isinstance(at, str) else at
        except ValueError:
            return str(at)
        month = MONTHS[self.lang].split()[when.month - 1]
        day = "1er" if self.lang == "fr" and when.day == 1 else str(when.day)
        return f"{day} {month} {when.year}".replace(" ", NBSP)


def said_month(name: str, lang: Lang) -> str:
    """A month told as 2026-11, as a person writes it."""
    return f"{MONTHS[lang].split()[int(name[5:]) - 1]}{NBSP}{name[:4]}"


def typeset(line: str, lang: Lang) -> str:
    """French keeps `: ; ? ! »` and `«` with their neighbour; English needs nothing."""
    if lang == "en":
        return line
    return re.sub(r" (?=[:;?!»%])", NBSP, line).replace("« ", "«" + NBSP)
