"""A moment as a person writes it, in the structure's own time, as an instant."""

import datetime as dt


def instant(text: str, zone: dt.tzinfo) -> dt.datetime | None:
    """UTC of an ISO 8601 time, local where it has no offset; None for what is empty or no time.

    Of an hour that comes twice in autumn the earlier one counts: the law's hours then run rather
    too early than too late.
    """
    try:
        said = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    local = said if said.tzinfo is not None else said.replace(tzinfo=zone, fold=0)
    try:
        return local.astimezone(dt.UTC)
    except OverflowError:  # the first and the last hours of the calendar
        return None


def retold(text: str, kept: dt.datetime | None, zone: dt.tzinfo) -> dt.datetime | None:
    """What a person says in a form that showed `kept`; None when they left it as it was shown.

    A form shows whole seconds of local time: read again as it stands, a moment would lose its
    fraction, and in the hour that comes twice its hour.
    """
    if kept is not None:
        shown = kept.astimezone(zone).replace(tzinfo=None, microsecond=0)
        try:
            if dt.datetime.fromisoformat(text.strip()) == shown:
                return None
        except ValueError:
            return None
    return instant(text, zone)
