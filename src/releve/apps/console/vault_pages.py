"""The vault's page: what would come back, and what of that was measured, where and when."""

from typing import Any

from anyio import to_thread
from litestar import Response, get

from releve.apps.console import vault_views
from releve.apps.console.context import AnyRequest
from releve.apps.console.stream import live_answer
from releve.apps.console.web import Entered, enter, page, render


@get("/vault")
async def vault(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    view = await to_thread.run_sync(_view, entered)
    return page(entered.visit, "vault.html", view=view)


@get("/vault/live")
async def vault_live(request: AnyRequest) -> Response[Any]:
    return await live_answer(request, _picture)


ROUTES: list[Any] = [vault, vault_live]


def _picture(entered: Entered) -> str:
    return render(entered.visit, "_vault.html", view=_view(entered))


def _view(entered: Entered) -> vault_views.VaultPage:
    visit = entered.visit
    return vault_views.vault_page(visit.context.store, entered.structure, visit.now)
