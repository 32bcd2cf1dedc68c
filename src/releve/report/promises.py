"""Promises are data; a promise is held, not held, or not measured here. Nothing else."""

from typing import Literal

import msgspec

from releve.model.proof import Simulation
from releve.report.figures import MEASURES, Measured
from releve.report.text import Text

Unit = Literal["files", "works", "differences", "ms", "ratio"]
Outcome = Literal["held", "broken", "unmeasured", "counted"]


class Promise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One promise as `content/promises.toml` writes it.

    `limit` None: the figure is shown and counted, but nothing is promised about it.
    `below`: the value must be strictly under the limit, otherwise it may reach it.
    `names` chooses attacks, workloads or parts of the chain by name (`*` allowed); empty: all.
    """

    id: str
    measure: str
    unit: Unit
    promise: Text
    condition: Text
    command: str
    limit: float | None = None
    below: bool = False
    names: tuple[str, ...] = ()


class Promises(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them, dated, with where they were written down."""

    dated: str
    source: Text
    promises: tuple[Promise, ...]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One promise against what was measured here."""

    promise: Promise
    measured: Measured
    outcome: Outcome


def judge(promise: Promise, simulation: Simulation) -> Verdict:
    """Raises KeyError for an unknown measure: the content's own test keeps that from users."""
    measured = MEASURES[promise.measure](simulation, promise.names)
    return Verdict(promise=promise, measured=measured, outcome=_outcome(promise, measured.value))


def tally(promises: Promises, simulation: Simulation) -> dict[str, int]:
    """How many are held, broken and unmeasured, and `n`; what is only counted is left out."""
    outcomes = [judge(promise, simulation).outcome for promise in promises.promises]
    kinds: tuple[Outcome, ...] = ("held", "broken", "unmeasured")
    counts: dict[str, int] = {kind: outcomes.count(kind) for kind in kinds}
    return {**counts, "n": sum(counts.values())}


def _outcome(promise: Promise, value: float | None) -> Outcome:
    if value is None:
        return "unmeasured"
    if promise.limit is None:
        return "counted"
    within = value < promise.limit if promise.below else value <= promise.limit
    return "held" if within else "broken"
