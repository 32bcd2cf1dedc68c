"""How the structure stood, day by day."""

from typing import Any

from anyio import to_thread
from litestar import Response, get

from releve.apps.console.context import AnyRequest
from releve.apps.console.posture_views import commands, drawn
from releve.apps.console.units import reading
from releve.apps.console.views import structure_name
from releve.apps.console.web import enter, page


@get("/posture")
async def posture(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    store, now = entered.visit.context.store, entered.visit.now
    name = await to_thread.run_sync(structure_name, store, entered.structure)

    view = await reading(entered, lambda unit: drawn(unit, now))
    return page(
        entered.visit, "posture.html", view=view, structure_name=name, commands=commands(name)
    )


ROUTES: list[Any] = [posture]
