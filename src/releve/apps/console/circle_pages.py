"""What a group sees of its members, and an insurer of all that consent: figures, never contents."""

import datetime as dt
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import msgspec
from anyio import to_thread
from litestar import Response, get

from releve.apps.console.context import AnyRequest
from releve.apps.console.views import structure_name
from releve.apps.console.web import Entered, enter, page
from releve.collective.cohorts import FEWEST
from releve.flow.server import circles, sums
from releve.flow.server.situations import Row, row_of
from releve.model.circle import Member
from releve.triage.situation import rank


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    row: Row
    well_days: (
        int  # of the days that are kept: without incident, late backup or guard that was down
    )
    days: int


class Medians(msgspec.Struct, frozen=True, kw_only=True):
    """What the middle member has; None where no member has anything."""

    backup_s: float | None
    drill_s: float | None
    well_share: float | None


@get("/group")
async def group(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    members = await to_thread.run_sync(_members, entered)
    name = await _own_name(entered)
    return page(
        entered.visit, "group.html", members=members, medians=_medians(entered, members), name=name
    )


@get("/insurer")
async def insurer(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    visit, session = entered.visit, entered.session
    store = visit.context.store
    seen = await to_thread.run_sync(sums.look, store, session.structure, session.login, visit.now)
    name = await _own_name(entered)
    return page(visit, "insurer.html", seen=seen, name=name, fewest=FEWEST)


ROUTES: list[Any] = [group, insurer]


async def _own_name(entered: Entered) -> str:
    store = entered.visit.context.store
    return await to_thread.run_sync(structure_name, store, entered.structure)


def _members(entered: Entered) -> list[MemberView]:
    visit = entered.visit
    now = visit.now
    seen = circles.look(visit.context.store, entered.session, now)
    seen.sort(key=lambda member: rank(member.situation, member.name, now))
    return [_member(entered, member) for member in seen]


def _member(entered: Entered, member: Member) -> MemberView:
    now, situation = entered.visit.now, member.situation
    return MemberView(
        row=row_of(member.name, situation, now),
        well_days=sum(not (d.incidents or d.is_backup_late or d.down) for d in member.days),
        days=len(member.days),
    )


def _medians(entered: Entered, members: Sequence[MemberView]) -> Medians:
    situations, now = [member.row.situation for member in members], entered.visit.now
    return Medians(
        backup_s=_median(_age(s.backup_at, now) for s in situations),
        drill_s=_median(_age(s.drill_at, now) for s in situations),
        well_share=_median(m.well_days / m.days if m.days else None for m in members),
    )


def _age(at: dt.datetime | None, now: dt.datetime) -> float | None:
    return None if at is None else max((now - at).total_seconds(), 0.0)


def _median(found: Iterable[float | None]) -> float | None:
    values = [value for value in found if value is not None]
    return median(values) if values else None
