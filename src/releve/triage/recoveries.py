"""What is believed of a recovery as a host tells it: its clock and figures decide nothing for others."""

import datetime as dt

import msgspec

from releve.model.event import RecoveryTold

_LONGEST_S = 400 * 86_400.0
_STEPS = frozenset(
    {
        "laid", "open", "first_file", "first_write", "shared", "database_query", "listed",
        "today_local", "databases_local", "all_local", "verified",
    }
)  # fmt: skip
_OLDEST_POINT = dt.timedelta(days=3650)


def believed(told: RecoveryTold, oldest: dt.datetime) -> RecoveryTold:
    """With steps that there are, and times that can be: no order before `oldest`, no point ten years back."""
    newest = told.seen_at
    ordered = told.ordered_at if _lies(told.ordered_at, oldest, newest) else newest
    is_point = told.clean_at is not None and _lies(told.clean_at, newest - _OLDEST_POINT, newest)
    return msgspec.structs.replace(
        told,
        ordered_at=ordered,
        clean_at=told.clean_at if is_point else None,
        seconds={n: s for n, s in told.seconds.items() if n in _STEPS and 0 <= s <= _LONGEST_S},
    )


def _lies(at: dt.datetime, since: dt.datetime, until: dt.datetime) -> bool:
    return at.tzinfo is not None and since <= at <= until
