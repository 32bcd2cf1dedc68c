"""How long deleted files stay held, whatever the clock says."""

# An hour of a running guard counts for four at most: a machine that is on six hours a day keeps
# pace, and a clock that was set forward by years drops nothing before a quarter of the retention.
PACE = 4


def advance(limit_ns: int, *, now_ns: int, keep_ns: int, oldest_ns: int, ran_ns: int) -> int:
    """The next limit: files that are gone since before it may be dropped.

    Args:
        limit_ns: the limit until now, 0 if there was none.
        keep_ns: the retention.
        oldest_ns: since when the file that is gone longest is gone.
        ran_ns: how long the guard ran since the last call.
    """
    reached = max(limit_ns, oldest_ns - keep_ns) + PACE * ran_ns
    return min(now_ns - keep_ns, reached)
