"""Which generations of a vault may go, by its own receipts and its own time. Pure.

No date of a client counts, nor its names: neither a forged snapshot nor a forged generation makes
another one go earlier. What is added can only keep more.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from releve.model.retention import Policy, Verdict
from releve.model.vault import Generation, Hold, Repository
from releve.recover.witness import Witness

DAY_NS = 86_400_000_000_000
QUIET_DAYS = 31.0


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One standing generation and why it stays or may go."""

    generation: Generation
    verdict: Verdict
    age_ns: int  # witnessed: what the chain bears out
    hold: str = ""


def decide(
    generations: Iterable[Generation],
    complete: Collection[Repository],
    holds: Iterable[Hold],
    policy: Policy,
    witness: Witness,
    *,
    shown: Collection[Repository] = (),
) -> list[Decided]:
    """Judge every standing generation, oldest first.

    Args:
        complete: those that hold a config, a key, an index and a snapshot.
        shown: those of which a view stands.
    """
    standing = [known for known in generations if not known.dropped_ns]
    holding = [hold for hold in holds if not hold.lifted_ns]
    newest = _newest(standing, complete)
    kept = _long_term(standing, policy.every_months)
    decided = []
    for known in sorted(standing, key=lambda each: each.first_ns):
        hold = next((hold.id for hold in holding if covers(hold, known.repository)), "")
        age = witness.since(known.first_ns)
        verdict = _verdict(known, hold, age, policy, witness, newest=newest, kept=kept, shown=shown)
        decided.append(Decided(generation=known, verdict=verdict, age_ns=age, hold=hold))
    return decided


def superseded(
    generations: Iterable[Generation],
    complete: Collection[Repository],
    now_ns: int,
    quiet_days: float = QUIET_DAYS,
) -> set[Repository]:
    """Those that a newer complete one of their host replaced, and that nothing came into for a while.

    A host writes to its newest only; one that was away for long goes on with the same one.
    """
    standing = [known for known in generations if not known.dropped_ns]
    newest = _newest(standing, complete)
    return {
        known.repository
        for known in standing
        if known.repository not in newest and now_ns - known.last_ns >= quiet_days * DAY_NS
    }


def covers(hold: Hold, repository: Repository) -> bool:
    """An empty word of a hold means all."""
    return (
        hold.structure == repository.structure
        and hold.host in {"", repository.host}
        and hold.generation in {"", repository.generation}
    )


def is_old(age_ns: int, months: int) -> bool:
    """A month counts 31 days here: the promise is never cut short."""
    return age_ns >= months * 31 * DAY_NS


def _verdict(
    known: Generation,
    hold: str,
    age_ns: int,
    policy: Policy,
    witness: Witness,
    *,
    newest: Collection[Repository],
    kept: Collection[Repository],
    shown: Collection[Repository],
) -> Verdict:
    where = known.repository
    reasons = (
        (bool(hold), Verdict.ON_HOLD),
        (where in newest, Verdict.NEWEST),
        (not is_old(age_ns, policy.months), Verdict.YOUNG),
        (witness.since(known.last_ns) < policy.live_days * DAY_NS, Verdict.LIVE),
        (where in kept, Verdict.LONG_TERM),
        (where in shown, Verdict.SHOWN),
    )
    return next((verdict for holds, verdict in reasons if holds), Verdict.MAY_GO)


def _newest(standing: Sequence[Generation], complete: Collection[Repository]) -> set[Repository]:
    """Per host the complete one that began last; without any, all: nobody knows what they hold."""
    by_host = _by_host(standing)
    newest = set[Repository]()
    for own in by_host.values():
        whole = [known for known in own if known.repository in complete]
        best = [max(whole, key=lambda known: known.first_ns)] if whole else own
        newest.update(known.repository for known in best)
    return newest


def _long_term(standing: Sequence[Generation], every_months: int) -> set[Repository]:
    """Of each window of so many months, all that began in its first month that has any.

    All, not one: whoever begins a forged generation before the true one must not take its place.
    """
    if every_months <= 0:
        return set()
    kept = set[Repository]()
    for own in _by_host(standing).values():
        months = defaultdict[int, list[int]](list)
        for known in own:
            months[_month(known.first_ns) // every_months].append(_month(known.first_ns))
        first = {window: min(inside) for window, inside in months.items()}
        kept.update(
            known.repository
            for known in own
            if _month(known.first_ns) == first[_month(known.first_ns) // every_months]
        )
    return kept


def _by_host(standing: Iterable[Generation]) -> Mapping[tuple[str, str], list[Generation]]:
    by_host = defaultdict[tuple[str, str], list[Generation]](list)
    for known in standing:
        by_host[known.repository.structure, known.repository.host].append(known)
    return by_host


def _month(at_ns: int) -> int:
    at = dt.datetime.fromtimestamp(at_ns / 1e9, dt.UTC)
    return at.year * 12 + at.month - 1
