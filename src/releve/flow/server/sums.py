"""An insurer's sheet: made once a week over whole cohorts, and every look at it told to each of them."""

import datetime as dt
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from releve.collective import cohorts, sums
from releve.flow.server import circles
from releve.flow.server.ports import Store
from releve.flow.server.profiles import zone_of
from releve.model.circle import Sheet
from releve.model.posture import Posture
from releve.model.structure import DEFAULT_TIMEZONE
from releve.triage.posture import standing

_ZONE = ZoneInfo(DEFAULT_TIMEZONE)
Why = Literal["", "none_yet", "few", "withdrawn"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """`why` is empty when the figures are shown: else what holds them back."""

    sheet: Sheet | None
    why: Why


def release(store: Store, insurer: str, now: dt.datetime) -> bool:
    """This week's sheet, of who consents now; once. False when it was made before."""
    day = now.astimezone(_ZONE).date()
    week = "{}-W{:02d}".format(*day.isocalendar()[:2])
    with store.unit(insurer, writes=False) as unit:
        last = unit.sheet()
    if last is not None and last[0].week >= week:
        return False
    consenting = [structure.id for structure, _ in circles.members(store, insurer)]
    grouped = cohorts.step(last[1] if last else (), consenting, day)
    standings = [_standing(store, structure, now) for structure in cohorts.shown(grouped)]
    with store.unit(insurer) as unit:
        return unit.add_sheet(sums.sheet(week, now, standings), grouped)


def look(store: Store, insurer: str, login: str, now: dt.datetime) -> Seen:
    """The newest sheet; held back from the moment on in which one of its structures withdraws."""
    with store.unit(insurer, writes=False) as unit:
        last = unit.sheet()
    if last is None:
        return Seen(sheet=None, why="none_yet")
    sheet, grouped = last
    if not sheet.structures:
        return Seen(sheet=sheet, why="few")
    shown = cohorts.shown(grouped)
    if not all(_consents(store, structure, insurer) for structure in shown):
        return Seen(sheet=None, why="withdrawn")
    for structure in (*shown, insurer):
        with store.unit(structure) as unit:
            told = f"{sheet.week}, {sheet.structures}"
            unit.record(now, login, f"insurer/{insurer}", "see_sums", told)
    return Seen(sheet=sheet, why="")


def _consents(store: Store, structure: str, insurer: str) -> bool:
    with store.unit(structure, writes=False) as unit:
        known = unit.membership(insurer)
    return known is not None and known.ended_at is None


def _standing(store: Store, structure: str, now: dt.datetime) -> Posture:
    with store.unit(structure, writes=False) as unit:
        day = now.astimezone(zone_of(unit)).date()
        situation = unit.situation()
    return Posture(day=day) if situation is None else standing(situation, day, now)
