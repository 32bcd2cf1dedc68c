"""Honest work of a practice and its administrator: none of it may be stopped."""

from releve.apps.simulate.profile import Workload

WORKLOADS: tuple[Workload, ...] = ()


def by_name(name: str) -> Workload | None:
    """The workload of that name."""
    return next((row for row in WORKLOADS if row.name == name), None)
