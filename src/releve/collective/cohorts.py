"""Who consents -> the cohorts that an insurer's figures are made of: nobody can be singled out.

Every sheet is a sum over whole cohorts. Subtracting one sheet from another leaves whole cohorts too,
never one structure. A cohort that lost a member leaves whole, and its others rest, so that they do not
come back the week after without the one that left.
"""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.model.circle import Cohort

FEWEST = 5  # structures in a cohort, and in anything that is ever shown
REST = dt.timedelta(days=91)  # a quarter: figures of then say little of figures of now


def step(cohorts: Sequence[Cohort], consenting: Sequence[str], day: dt.date) -> tuple[Cohort, ...]:
    """The cohorts from this day on; `consenting` in the order in which they consented."""
    here = frozenset(consenting)
    told = [_with_news(cohort, here, day) for cohort in cohorts]
    kept = [c for c in told if c.broken is None or day - c.broken < REST]
    taken = {member for cohort in kept for member in cohort.members}
    free = [structure for structure in consenting if structure not in taken]
    return (*kept, *_formed(free, day))


def shown(cohorts: Sequence[Cohort]) -> tuple[str, ...]:
    """The structures that a sheet is of."""
    return tuple(m for cohort in cohorts if cohort.broken is None for m in cohort.members)


def _with_news(cohort: Cohort, here: frozenset[str], day: dt.date) -> Cohort:
    if cohort.broken is not None or here.issuperset(cohort.members):
        return cohort
    return msgspec.structs.replace(cohort, broken=day)


def _formed(free: Sequence[str], day: dt.date) -> tuple[Cohort, ...]:
    """Of five; the last one takes those that are over."""
    count = len(free) // FEWEST
    starts = [FEWEST * n for n in range(count)]
    ends = [*starts[1:], len(free)]
    return tuple(
        Cohort(members=tuple(free[a:b]), formed=day) for a, b in zip(starts, ends, strict=False)
    )
