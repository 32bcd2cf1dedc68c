"""The page of settings: what the structure says of itself, how it is set, who outside sees figures."""

from collections.abc import Callable, Mapping
from typing import Any

from anyio import to_thread
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.apps.console.context import AnyRequest
from releve.apps.console.settings_views import (
    CONTACT_ROLES,
    LONGEST,
    LONGEST_HOSTS,
    settings_page,
    with_attack,
    with_contacts,
    with_identity,
    with_services,
)
from releve.apps.console.units import writing
from releve.apps.console.web import Entered, enter, form_of, go, page
from releve.collective.cohorts import FEWEST
from releve.collective.sums import SHARES
from releve.flow.server import circles, profiles
from releve.flow.server.ports import Unit
from releve.model.circle import Circle, CircleKind
from releve.model.structure import Profile, StructureKind

_Change = Callable[[Mapping[str, str], Profile], Profile]


@get("/settings")
async def settings(request: AnyRequest) -> Response[str]:
    return await _settings(await enter(request))


@post("/settings/identity")
async def identity(request: AnyRequest) -> Response[str]:
    return await _change(request, "identity", with_identity)


@post("/settings/contacts")
async def contacts(request: AnyRequest) -> Response[str]:
    return await _change(request, "contacts", _of_known(with_contacts))


@post("/settings/services")
async def services(request: AnyRequest) -> Response[str]:
    return await _change(request, "services", _of_known(with_services))


@post("/settings/on-attack")
async def on_attack(request: AnyRequest) -> Response[str]:
    return await _change(request, "on-attack", _of_known(with_attack))


@post("/settings/circles/{circle:str}/join")
async def join(request: AnyRequest, circle: FromPath[str]) -> Response[str]:
    """Consent to what an insurer sees. Into a group, only who runs the server puts a structure."""
    entered = await enter(request)
    await form_of(request, entered.session)
    wanted = await _circle(entered, circle)
    if wanted.kind is not CircleKind.INSURER:
        raise NotFoundException
    login, now = entered.session.login, entered.visit.now
    await writing(entered, lambda unit: circles.join(unit, wanted, actor=login, now=now))
    return go("/settings#figures")


@post("/settings/circles/{circle:str}/leave")
async def leave(request: AnyRequest, circle: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    await form_of(request, entered.session)
    wanted = await _circle(entered, circle)
    login, now = entered.session.login, entered.visit.now
    await writing(entered, lambda unit: circles.leave(unit, wanted, actor=login, now=now))
    return go("/settings#figures")


ROUTES: list[Any] = [settings, identity, contacts, services, on_attack, join, leave]


async def _settings(entered: Entered, *, wrong: str = "") -> Response[str]:
    context = entered.visit.context
    view = await to_thread.run_sync(
        settings_page, context.store, entered.structure, context.keep, entered.visit.now
    )
    return page(
        entered.visit,
        "settings.html",
        status=422 if wrong else 200,
        view=view,
        wrong=wrong,
        kinds=tuple(StructureKind),
        roles=CONTACT_ROLES,
        longest=LONGEST,
        longest_hosts=LONGEST_HOSTS,
        shares=tuple(SHARES),
        fewest=FEWEST,
    )


async def _change(
    request: AnyRequest, what: str, change: Callable[[Mapping[str, str], Profile | None], Profile]
) -> Response[str]:
    """Read, changed and kept in one unit: two who change at once do not undo each other."""
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    login, now = entered.session.login, entered.visit.now

    def keep(unit: Unit) -> None:
        unit.hold()
        profiles.keep(unit, change(fields, unit.profile()), actor=login, now=now)

    try:
        await writing(entered, keep)
    except ValueError:
        return await _settings(entered, wrong=what)
    return go(f"/settings#{what}")


def _of_known(change: _Change) -> Callable[[Mapping[str, str], Profile | None], Profile]:
    """For what is asked only once the structure said what it is."""

    def changed(fields: Mapping[str, str], known: Profile | None) -> Profile:
        if known is None:
            raise ValueError("profile")
        return change(fields, known)

    return changed


async def _circle(entered: Entered, circle: str) -> Circle:
    known = await to_thread.run_sync(entered.visit.context.store.circles)
    found = next((one for one in known if one.id == circle), None)
    if found is None:
        raise NotFoundException
    return found
