"""What a vault does by itself, and when: due jobs, what became of them, what is overdue. Pure.

The times are the vault's own. A job that was cut by a kill is due again at once; one that failed is
tried again after a while that grows.
"""

from collections.abc import Iterable, Sequence

import msgspec

from releve.model.copies import Copy, CopyKind

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
_QUARTER_S = 900.0
_SETTLE_S = 300.0  # after a job is first known: the gate comes first
_TELL_S = DAY_S  # an overdue job is told again


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do again and again; `words` are those of `releve vault`."""

    name: str
    words: tuple[str, ...]
    every_s: float
    patience_s: float  # without a success for longer: overdue
    most_s: float  # it is ended then
    retry_s: float = 6 * HOUR_S  # after a failure, which may be a finding; longer each time


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one job, durably."""

    name: str
    since_ns: int  # when it was first known
    began_ns: int = 0
    ended_ns: int = 0  # before `began_ns`: it runs, or was cut
    ok_ns: int = 0  # end of the last success
    status: int | None = None  # of the last end; None: it was ended from outside
    said: str = ""  # the last words of a failure
    failures: int = 0  # in a row
    told_ns: int = 0  # when its being overdue was told


class Standing(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="job"):
    """A job as people see it."""

    name: str
    every_s: float
    last_began_ns: int
    last_ended_ns: int
    last_ok_ns: int
    next_ns: int
    status: int | None
    said: str
    failures: int
    overdue: bool
    running: bool = False


def jobs(copies: Iterable[Copy]) -> tuple[Job, ...]:
    """Everything that nobody should have to think of. The head is sent every minute by the gate."""
    made = [
        Job(name="views", words=("view", "--sweep"), every_s=HOUR_S, patience_s=DAY_S, most_s=600),
        Job(
            name="forecast", words=("forecast",), every_s=DAY_S, patience_s=2 * DAY_S, most_s=HOUR_S
        ),
        Job(name="seal", words=("seal",), every_s=DAY_S, patience_s=3 * DAY_S, most_s=HOUR_S),
        # A slice each day: the next one goes on where it ended, and a pass that is over begins anew.
        Job(
            name="scrub",
            words=("scrub", "--seconds", "3600"),
            every_s=DAY_S,
            patience_s=3 * DAY_S,
            most_s=3 * HOUR_S,
        ),
    ]
    for copy in copies:
        made += _of_copy(copy)
    return tuple(made)


def _of_copy(copy: Copy) -> list[Job]:
    made = []
    if copy.kind is not CopyKind.VAULT:  # that one pulls by itself
        often = _copy_job(copy, "run", 6 * HOUR_S, 26 * HOUR_S)
        made.append(msgspec.structs.replace(often, retry_s=_QUARTER_S))
    made.append(_copy_job(copy, "verify", 7 * DAY_S, 9 * DAY_S))
    if copy.kind is CopyKind.S3:
        made.append(_copy_job(copy, "probe", 7 * DAY_S, 14 * DAY_S))
    return made


def _copy_job(copy: Copy, verb: str, every_s: float, patience_s: float) -> Job:
    return Job(
        name=f"copy-{verb}:{copy.name}",
        words=("copy", verb, copy.name),
        every_s=every_s,
        patience_s=patience_s,
        most_s=2 * DAY_S,
    )


def next_ns(job: Job, run: Run) -> int:
    """When it is to begin."""
    if not run.began_ns:
        return run.since_ns + _ns(min(job.every_s, _SETTLE_S))
    if run.ended_ns < run.began_ns:
        return run.began_ns  # cut: what it did is kept, and it goes on
    if run.failures:
        again = min(job.every_s, job.retry_s * 2 ** min(run.failures - 1, 10))
        return run.ended_ns + _ns(again)
    return run.began_ns + _ns(job.every_s)


def due(known: Sequence[tuple[Job, Run]], now_ns: int) -> Job | None:
    """The one that waited longest; None: nothing is due."""
    waiting = [(next_ns(job, run), job.name, job) for job, run in known]
    ready = sorted(one for one in waiting if one[0] <= now_ns)
    return ready[0][2] if ready else None


def is_overdue(job: Job, run: Run, now_ns: int) -> bool:
    return now_ns - max(run.ok_ns, run.since_ns) > _ns(job.patience_s)


def wants_telling(job: Job, run: Run, now_ns: int) -> bool:
    """Whether people are to hear (again) that it is overdue."""
    return is_overdue(job, run, now_ns) and now_ns - run.told_ns >= _ns(_TELL_S)


def began(run: Run, now_ns: int) -> Run:
    return msgspec.structs.replace(run, began_ns=now_ns)


def ended(run: Run, status: int | None, said: str, now_ns: int) -> Run:
    """After its end; a success takes its failures back."""
    is_ok = status == 0
    return msgspec.structs.replace(
        run,
        ended_ns=max(now_ns, run.began_ns),
        ok_ns=now_ns if is_ok else run.ok_ns,
        status=status,
        said="" if is_ok else said,
        failures=0 if is_ok else run.failures + 1,
        told_ns=0 if is_ok else run.told_ns,
    )


def standing(job: Job, run: Run, now_ns: int, *, running: bool = False) -> Standing:
    return Standing(
        name=job.name,
        every_s=job.every_s,
        last_began_ns=run.began_ns,
        last_ended_ns=run.ended_ns,
        last_ok_ns=run.ok_ns,
        next_ns=next_ns(job, run),
        status=run.status,
        said=run.said,
        failures=run.failures,
        overdue=is_overdue(job, run, now_ns),
        running=running and run.ended_ns < run.began_ns,
    )


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
