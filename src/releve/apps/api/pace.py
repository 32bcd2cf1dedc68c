"""How much one token may ask of one server in a minute."""

import datetime as dt

A_MINUTE = 600
_WINDOW = 60


class Pace:
    """Counts by the minute; one event loop's threads share it. A second server counts for itself."""

    def __init__(self, a_minute: int = A_MINUTE) -> None:
        self._most = a_minute
        self._minute, self._counts = 0, dict[str, int]()

    def wait(self, token: str, now: dt.datetime) -> int:
        """Seconds until it may ask again; 0: it may, and this one is counted."""
        seconds = int(now.timestamp())
        if seconds // _WINDOW != self._minute:
            self._minute, self._counts = seconds // _WINDOW, {}
        count = self._counts.get(token, 0) + 1
        if count > self._most:
            return _WINDOW - seconds % _WINDOW
        self._counts[token] = count
        return 0
