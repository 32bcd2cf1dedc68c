"""All structures that somebody is the operator of, worst first; the same for a screen on the wall."""

import datetime as dt
from collections import Counter
from typing import Any

import msgspec
from anyio import to_thread
from litestar import Response, get

from releve.apps.console.context import AnyRequest
from releve.apps.console.stream import live_answer
from releve.apps.console.web import Entered, enter, page, render
from releve.flow.server.live import EVERYTHING
from releve.flow.server.ports import Store
from releve.flow.server.situations import Row, worst_first

_ON_THE_WALL = 12  # what is read from across a room
# A page weighs 200 kB at most, what it loads included: rows that say all there is to say are 1 kB each.
_IN_FULL = 70
_BY_NAME = 430
_GATHER_SECONDS = 0.3  # 500 structures always have news


class SituationPage(msgspec.Struct, frozen=True, kw_only=True):
    """All, worst first: `rows` with their figures, then `named`, then `more` that are only counted."""

    structures: int
    rows: tuple[Row, ...]
    named: tuple[Row, ...]
    more: int
    moods: dict[str, int]
    hosts: int


@get("/situation")
async def situation(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    view = await to_thread.run_sync(_view, entered)
    return page(entered.visit, "situation.html", view=view)


@get("/situation/live")
async def situation_live(request: AnyRequest) -> Response[Any]:
    def picture(entered: Entered) -> str:
        return render(entered.visit, "_situation.html", view=_view(entered))

    return await live_answer(request, picture, topic=EVERYTHING, gather_seconds=_GATHER_SECONDS)


@get("/situation/wall")
async def wall(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    view = await to_thread.run_sync(_view, entered)
    return page(entered.visit, "wall.html", view=view, most=_ON_THE_WALL)


@get("/situation/wall/live")
async def wall_live(request: AnyRequest) -> Response[Any]:
    def picture(entered: Entered) -> str:
        return render(entered.visit, "_wall.html", view=_view(entered), most=_ON_THE_WALL)

    return await live_answer(request, picture, topic=EVERYTHING, gather_seconds=_GATHER_SECONDS)


ROUTES: list[Any] = [situation, situation_live, wall, wall_live]


def situation_page(store: Store, person: str, home: str, now: dt.datetime) -> SituationPage:
    """`home`: the operator's own firm, which is not a client: left out while it guards no host."""
    granted = store.situations_of(person)
    found = [(name, s) for name, s in granted if s.structure != home or s.hosts]
    rows = worst_first(found, now)
    moods = Counter(row.mood for row in rows)
    last = _IN_FULL + _BY_NAME
    return SituationPage(
        structures=len(rows),
        rows=rows[:_IN_FULL],
        named=rows[_IN_FULL:last],
        more=max(len(rows) - last, 0),
        moods=moods,
        hosts=sum(r.situation.hosts for r in rows),
    )


def _view(entered: Entered) -> SituationPage:
    visit = entered.visit
    session = entered.session
    home = session.home or session.structure
    return situation_page(visit.context.store, session.person, home, visit.now)
