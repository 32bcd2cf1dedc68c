"""What a guard that only watches would have stopped: somebody says that it was looked at."""

import datetime as dt

from releve.flow.server.ports import Unit

KIND = "would_stop"


def review(unit: Unit, *, actor: str, now: dt.datetime) -> int:
    """How many were not reviewed yet; all are from here on. The trail keeps who said so."""
    count = unit.review_findings(KIND, now)
    unit.record(now, actor, f"findings/{KIND}", "review", str(count))
    return count
