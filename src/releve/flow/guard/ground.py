"""What all stages of one guard share, handed to each as one piece."""

from collections.abc import Callable

import msgspec

from releve.detect.ransom.limits import Limits
from releve.detect.ransom.score import Scores
from releve.flow.guard.book import Book
from releve.flow.guard.desk import Desk
from releve.flow.guard.pace import Pace
from releve.flow.guard.work import Job, Volume
from releve.flow.ports import Clock


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """The file systems by id, what is known of who did what, and the means of every stage."""

    volumes: dict[bytes, Volume]
    book: Book
    scores: Scores
    clock: Clock
    limits: Limits
    pace: Pace
    say: Callable[[object], None]  # takes each line; called from several threads


class Desks(msgspec.Struct, frozen=True, kw_only=True):
    """Where work waits: to be held, to be held aside (large files), to be judged."""

    hold: Desk[Job]
    big: Desk[Job]
    judge: Desk[Job]
