"""When the vault's disk will be full, by its receipts. Pure. It never asks for anything to be erased."""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from releve.model.vault import AnyEntry, Receipt

DAY_NS = 86_400_000_000_000
_SPAN_DAYS = 30
_WATCH_DAYS, _WARN_DAYS, _ALARM_DAYS = 90.0, 30.0, 7.0


class Level(StrEnum):
    FINE = "fine"
    WATCH = "watch"
    WARN = "warn"
    ALARM = "alarm"


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """What one host adds."""

    structure: str
    host: str
    bytes_per_day: int
    last_day_bytes: int
    is_surge: bool  # the last day brought more than five usual days


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """How long the room lasts."""

    free_bytes: int  # above the reserve
    bytes_per_day: int
    days_left: float | None  # None: nothing comes in
    level: Level
    hosts: tuple[Growth, ...]


def forecast(entries: Iterable[AnyEntry], now_ns: int, free_bytes: int) -> Forecast:
    """From the receipts of the last 30 days, or of all days when there are fewer."""
    since = now_ns - _SPAN_DAYS * DAY_NS
    by_host: defaultdict[tuple[str, str], int] = defaultdict(int)
    last_day: defaultdict[tuple[str, str], int] = defaultdict(int)
    first = now_ns
    for entry in entries:
        if not isinstance(entry, Receipt) or entry.received_ns < since:
            continue
        first = min(first, entry.received_ns)
        host = (entry.repository.structure, entry.repository.host)
        by_host[host] += entry.size
        if entry.received_ns >= now_ns - DAY_NS:
            last_day[host] += entry.size
    days = max(1.0, (now_ns - first) / DAY_NS)
    hosts = tuple(
        _growth(host, total, last_day[host], days) for host, total in sorted(by_host.items())
    )
    per_day = int(sum(by_host.values()) / days)
    # The faster of the month and of the last day: a surge must not hide behind a quiet month.
    fastest = max(per_day, sum(last_day.values()))
    left = round(max(0, free_bytes) / fastest, 1) if fastest else None
    return Forecast(
        free_bytes=free_bytes,
        bytes_per_day=per_day,
        days_left=left,
        level=_level(left, free_bytes),
        hosts=hosts,
    )


def _growth(host: tuple[str, str], total: int, last_day: int, days: float) -> Growth:
    usual = (total - last_day) / max(1.0, days - 1)
    return Growth(
        structure=host[0],
        host=host[1],
        bytes_per_day=int(total / days),
        last_day_bytes=last_day,
        is_surge=days > 2 and last_day > 5 * usual,
    )


def _level(days_left: float | None, free_bytes: int) -> Level:
    if free_bytes <= 0:
        return Level.ALARM
    if days_left is None or days_left > _WATCH_DAYS:
        return Level.FINE
    if days_left <= _ALARM_DAYS:
        return Level.ALARM
    return Level.WARN if days_left <= _WARN_DAYS else Level.WATCH
