"""Drills, pure: what a row count says, the verdict, the arithmetic of RTO and RPO, when one is due."""

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import pairwise

from releve.model.drill import (
    NEWER,
    Check,
    Done,
    Mark,
    Moment,
    Opened,
    Outcome,
    Part,
    Reason,
    Schedule,
    StepName,
    Stretch,
    Verified,
)
from releve.model.sources import TableRows

RTO_STEPS = (
    StepName.FIRST_FILE,
    StepName.PATIENT_LIST,
    StepName.DATABASES,
    StepName.ALL_LOCAL,
)
# A practice deletes and merges records, but not a tenth of a table within a week.
LEAST_SHARE = 0.9
FEW_ROWS = 20  # tables of settings: a tenth of five rows says nothing
_MUST = frozenset({Outcome.FAILED, Outcome.NOT_DONE})


def elapsed(since: Moment, until: Moment) -> float:
    """Seconds; by the steady clock where both are of one start of the machine, never negative."""
    if since.boot == until.boot:
        return max(0.0, until.steady_s - since.steady_s)
    return max(0.0, (until.at - since.at).total_seconds())


def idle(stretches: Sequence[Stretch], until: Moment) -> float:
    """Seconds between the lives of the process that lie before `until`."""
    total = 0.0
    for before, after in pairwise(stretches):
        if elapsed(after.began, until) > 0 or after.began == until:
            total += elapsed(before.alive, after.began)
    return total


def rto(ordered: Moment, done: Sequence[Done], stretches: Sequence[Stretch]) -> tuple[Mark, ...]:
    """The four marks. One whose step failed or never ran was not reached."""
    return tuple(_mark(name, ordered, done, stretches) for name in RTO_STEPS)


def _mark(
    name: StepName, ordered: Moment, done: Sequence[Done], stretches: Sequence[Stretch]
) -> Mark:
    step = next((one for one in done if one.name is name), None)
    if step is None or not step.work.checks or step.work.checks[0].outcome is not Outcome.PASSED:
        return Mark(name=name, elapsed_s=None, worked_s=None)
    lives = [one for one in stretches if one.number <= step.stretch]
    whole = elapsed(ordered, step.ended)
    return Mark(
        name=name,
        elapsed_s=whole,
        worked_s=max(0.0, whole - idle(lives, step.ended)),
        is_interrupted=step.stretch > 1,
    )


def rpo(now: dt.datetime, known: Sequence[Verified]) -> tuple[float, Verified] | None:
    """Age of the newest snapshot that was verified and is clean; None: there is none.

    A snapshot from the future (a clock that was put back) counts as no older than now.
    """
    good = [one for one in known if one.is_verified and one.is_clean]
    if not good:
        return None
    newest = max(good, key=lambda one: one.at)
    return max(0.0, (now - newest.at).total_seconds()), newest


def cleanness(
    witnesses: bool, judged: Mapping[str, bool], snapshot: str, at: dt.datetime
) -> Verified:
    """A verified snapshot: clean by the catalogue if that judged it, else by its witnesses."""
    known = judged.get(snapshot)
    is_clean = witnesses if known is None else known and witnesses
    return Verified(at=at, is_verified=True, is_clean=is_clean, is_judged=known is not None)


def verdict(checks: Sequence[Check]) -> str:
    """Passed: something was examined, and nothing failed or was left out."""
    if any(check.outcome in _MUST for check in checks):
        return "failed"
    return "passed" if any(check.outcome is Outcome.PASSED for check in checks) else "failed"


def judge_databases(
    name: str, opened: Sequence[Opened], before: Mapping[str, Opened], *, bytes_: int = 0
) -> Check:
    """Databases against those of the last drill that passed (by path).

    A dump of an empty database restores perfectly: emptiness is judged, not only damage.
    """
    if not opened:
        lost = [_gone(path) for path in sorted(before)]
        outcome = Outcome.FAILED if lost else Outcome.ABSENT
        return Check(name=name, outcome=outcome, bad=len(lost), reasons=tuple(lost))
    reasons, bad, parts = [], set(), []
    for number, one in enumerate(opened, 1):
        label, known = str(number), before.get(one.path)
        found = _wrong(one, known, label)
        if any(reason.kind != "database_empty_new" for reason in found):
            bad.add(one.path)
        reasons += found
        parts.append(_part(one, known, label))
    missing = [_gone(path) for path in sorted(set(before) - {one.path for one in opened})]
    if not any(one.rows for one in opened):
        reasons.append(Reason(kind="all_empty"))
        bad |= {one.path for one in opened}
    return Check(
        name=name,
        outcome=Outcome.FAILED if bad or missing else Outcome.PASSED,
        counted=len(opened),
        bad=len(bad) + len(missing),
        bytes=bytes_,
        reasons=(*reasons, *missing),
        parts=tuple(parts),
    )


def _gone(_path: str) -> Reason:
    return Reason(kind="database_gone")  # its name is patient data: it stays in the journal


def _part(one: Opened, known: Opened | None, label: str) -> Part:
    return Part(
        label=label,
        kind=one.kind,
        tables=len(one.tables),
        rows=one.rows,
        newest=one.newest,
        rows_before=known.rows if known else None,
    )


def _wrong(one: Opened, known: Opened | None, label: str) -> list[Reason]:
    if one.error == NEWER:
        return [Reason(kind="dump_newer", label=label)]
    if one.error:
        return [Reason(kind="database_damaged", label=label, seen=one.error)]
    if known is None:
        return [] if one.rows else [Reason(kind="database_empty_new", label=label)]
    found = []
    for table, rows in known.tables.items():
        seen = one.tables.get(table)
        if seen is None:
            found.append(Reason(kind="table_gone", label=label, wanted=str(rows)))
        elif _too_few(seen, rows):
            found.append(Reason(kind="rows_lost", label=label, seen=str(seen), wanted=str(rows)))
    if known.newest and one.newest < known.newest:
        found.append(Reason(kind="newest_older", label=label, seen=one.newest, wanted=known.newest))
    return found


def _too_few(seen: int, before: int) -> bool:
    if seen == 0:
        return before > 0
    return before >= FEW_ROWS and seen < before * LEAST_SHARE


def is_short(opened: Opened, dumped: Mapping[str, TableRows]) -> bool:
    """Whether a table has fewer rows than were counted while it was dumped."""
    found = {name.replace('"', ""): rows for name, rows in opened.tables.items()}
    bare = {name.rpartition(".")[2]: rows for name, rows in found.items()}
    return not opened.error and any(
        found.get(name, bare.get(name.rpartition(".")[2], 0)) < rows.low
        for name, rows in dumped.items()
    )


def next_due(ordered: dt.datetime | None, schedule: Schedule, now: dt.datetime) -> dt.datetime:
    """When the next drill is to start; all times local to one zone.

    The first one starts when that hour of today has come. One in the future (a clock that was put
    back) counts as none.
    """
    hour = now.replace(hour=schedule.hour, minute=0, second=0, microsecond=0)
    if ordered is None or ordered > now:
        return hour
    day = ordered.astimezone(now.tzinfo) + dt.timedelta(days=schedule.every_days)
    # Half a day of slack: a drill that began at 20:07 is due again at 20:00, not a day later.
    day -= dt.timedelta(hours=12)
    at = day.replace(hour=schedule.hour, minute=0, second=0, microsecond=0)
    return at if at >= day else at + dt.timedelta(days=1)
