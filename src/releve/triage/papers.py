"""What is believed of a recovery key's sheet as its host tells it."""

import datetime as dt

import msgspec

from releve.model.event import PaperKeyTold


def believed(told: PaperKeyTold) -> PaperKeyTold:
    """With dates that can be: of a zone, and not after it was told."""
    return msgspec.structs.replace(
        told,
        made_at=_date(told.made_at, told.seen_at),
        tried_at=_date(told.tried_at, told.seen_at),
    )


def _date(at: dt.datetime | None, told_at: dt.datetime) -> dt.datetime | None:
    if at is None or at.tzinfo is None:
        return None
    return min(at, told_at)
