"""How the structure stood, day by day."""

import datetime as dt
import shlex
from typing import Any

from anyio import to_thread
from litestar import Response, get

from releve.apps.console.context import AnyRequest
from releve.apps.console.posture_views import DAYS, Chart, chart
from releve.apps.console.units import reading
from releve.apps.console.views import structure_name
from releve.apps.console.web import enter, page
from releve.flow.server.ports import Unit
from releve.flow.server.profiles import zone_of
from releve.flow.server.situations import summed
from releve.triage.posture import standing

_COMMANDS = {
    "host": "releve server token create --structure {structure}",
    "guard": "releve agent run --guard '--protect … --enforce'",
    "backup": "releve backup run",
    "drill": "releve drill run",
}


def commands(structure: str) -> dict[str, str]:
    """By what lacks; `structure`: its name."""
    return {w: c.format(structure=shlex.quote(structure)) for w, c in _COMMANDS.items()}


@get("/posture")
async def posture(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    store, now = entered.visit.context.store, entered.visit.now
    name = await to_thread.run_sync(structure_name, store, entered.structure)

    def drawn(unit: Unit) -> Chart:
        today = now.astimezone(zone_of(unit)).date()
        latest = standing(summed(unit, now), today, now)
        return chart(unit.postures(today - dt.timedelta(days=DAYS)), today, latest)

    view = await reading(entered, drawn)
    return page(
        entered.visit, "posture.html", view=view, structure_name=name, commands=commands(name)
    )


ROUTES: list[Any] = [posture]
