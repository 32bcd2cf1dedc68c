"""What is believed of a recovery as a host tells it: its clock and figures decide nothing for others."""

import datetime as dt

import msgspec

from releve.model.event import RecoveryTold

_LONGEST_S = 400 * 86_400.0
_OLDEST_POINT = dt.timedelta(days=3650)


def believed(told: RecoveryTold, oldest: dt.datetime) -> RecoveryTold:
    """With times that can be: none before `oldest`, or the clean point ten years back, or to come."""
    newest = told.seen_at
    ordered = told.ordered_at if _lies(told.ordered_at, oldest, newest) else newest
    is_point = told.clean_at is not None and _lies(told.clean_at, newest - _OLDEST_POINT, newest)
    return msgspec.structs.replace(
        told,
        ordered_at=ordered,
        clean_at=told.clean_at if is_point else None,
        seconds={name: s for name, s in told.seconds.items() if 0 <= s <= _LONGEST_S},
    )


def _lies(at: dt.datetime, since: dt.datetime, until: dt.datetime) -> bool:
    return at.tzinfo is not None and since <= at <= until
