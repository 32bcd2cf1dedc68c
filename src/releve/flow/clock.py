"""Time as an input."""

import datetime as dt
from typing import Protocol


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """Aware UTC."""
        ...


def utc_text(at: dt.datetime) -> str:
    """UTC with microseconds, fixed width: text order is time order."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
