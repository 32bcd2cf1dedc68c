"""A calendar month in a time zone: no instant is in two months, none is in no month."""

import datetime as dt
import re
import zoneinfo

from releve.model.errors import ReleveError
from releve.model.statement import Month

_FORM = re.compile(r"(?!0000)(\d{4})-(0[1-9]|1[0-2])")
_LAST_YEAR = 9998


class MonthError(ReleveError):
    """That is no month, or it has not begun."""

    status = 73
    remedy = "Write the month as 2026-11; a month that has not begun has no figures."

    def __init__(self, words: str) -> None:
        super().__init__(f"{words} is no month that can be stated.")


def month_of(words: str, zone: str) -> Month:
    """From its first instant on the structure's wall to the next month's. Raises: MonthError."""
    found = _FORM.fullmatch(words)
    if found is None or int(found[1]) > _LAST_YEAR:
        raise MonthError(words)
    year, month = int(found[1]), int(found[2])
    after = (year + 1, 1) if month == 12 else (year, month + 1)
    return Month(name=words, zone=zone, since=_start(year, month, zone), until=_start(*after, zone))


def begun_month(words: str, zone: str, now: dt.datetime) -> Month:
    """Raises: MonthError."""
    month = month_of(words, zone)
    if month.since > now:
        raise MonthError(words)
    return month


def names_since(first: dt.datetime, now: dt.datetime, zone: str) -> tuple[str, ...]:
    """Every month from the one of `first` to this one, newest first."""
    wall = zoneinfo.ZoneInfo(zone)
    start, end = first.astimezone(wall), now.astimezone(wall)
    months = range(start.year * 12 + start.month - 1, end.year * 12 + end.month)
    return tuple(f"{one // 12:04d}-{one % 12 + 1:02d}" for one in reversed(months))


def _start(year: int, month: int, zone: str) -> dt.datetime:
    """Where the clock jumps over midnight, the instant of the jump."""
    return dt.datetime(year, month, 1, tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(dt.UTC)
