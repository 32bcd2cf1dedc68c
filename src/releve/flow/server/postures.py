"""Keeps the day's row of each structure: how it stood, the worst of the day."""

import datetime as dt

from releve.flow.server.ports import Store
from releve.flow.server.profiles import zone_of
from releve.triage.posture import standing, step


def keep(store: Store, structure: str, now: dt.datetime) -> bool:
    """Whether the row had to change."""
    with store.unit(structure, writes=False) as unit:
        situation = unit.situation()
        day = now.astimezone(zone_of(unit)).date()
        known = unit.posture(day)
    if situation is None or not situation.hosts:
        return False
    worst = step(known, standing(situation, day, now))
    if worst == known:
        return False
    with store.unit(structure) as unit:
        unit.put_posture(worst)
    return True
