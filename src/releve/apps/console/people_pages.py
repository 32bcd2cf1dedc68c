"""Who may see this structure, who came in and why; and the choice of another structure."""

from typing import Any

import msgspec
from anyio import to_thread
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.apps.console.clock_sums import clock_sums
from releve.apps.console.context import AnyRequest
from releve.apps.console.units import reading, writing
from releve.apps.console.views import structure_name
from releve.apps.console.web import (
    Entered,
    SignInNeededError,
    enter,
    form_of,
    go,
    keep_session,
    page,
)
from releve.flow.server import access
from releve.flow.server.ports import Unit
from releve.flow.server.signin import WayEnded
from releve.model.access import Admission, Grant, Role, Verb


class PeoplePage(msgspec.Struct, frozen=True, kw_only=True):
    structure_name: str
    own: tuple[Grant, ...]
    others: tuple[Grant, ...]
    ended: tuple[Grant, ...]
    admissions: tuple[Admission, ...]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A structure to act in. `role` None: the own one."""

    id: str
    name: str
    role: Role | None
    is_here: bool


@get("/people")
async def people(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    context = entered.visit.context
    name = await to_thread.run_sync(structure_name, context.store, entered.structure)
    view = await reading(entered, lambda unit: _people(unit, name))
    return page(entered.visit, "people.html", view=view, hours=_hours())


@post("/people/{person:str}/end")
async def end(request: AnyRequest, person: FromPath[str]) -> Response[str]:
    """The structure shuts its door on somebody; never on oneself, so that somebody is left."""
    entered = await enter(request)
    await form_of(request, entered.session)
    login, now = entered.session.login, entered.visit.now

    def shut(unit: Unit) -> None:
        unit.hold()
        # Asked again now that nobody else ends anything: of two who end each other one stays.
        if not access.may(access.role_in(unit, entered.session.person), Verb.CHANGE_PEOPLE):
            raise access.AdmissionEnded
        if person == entered.session.person or not access.end(unit, person, actor=login, now=now):
            raise NotFoundException

    await writing(entered, shut)
    return go("/people")


@get("/structures")
async def structures(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    asked = request.query_params
    return await _choices(entered, wanted=asked.get("to", ""), wish=asked.get("for", ""))


@post("/structures", status_code=200)
async def choose(request: AnyRequest) -> Response[str]:
    """Act in another structure; whoever is its operator says why."""
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    visit, session = entered.visit, entered.session
    context, to, reason = visit.context, fields.get("structure", ""), fields.get("reason", "")

    def move() -> tuple[str, Any]:
        return access.go_to(
            context.store,
            session,
            visit.secret,
            to,
            reason,
            new_secret=context.new_secret,
            identity=context.new_id(),
            now=visit.now,
        )

    try:
        secret, moved = await to_thread.run_sync(move)
    except WayEnded as error:
        raise SignInNeededError from error
    except access.Refused as error:
        if error.why == "grant":
            raise NotFoundException from error
        return await _choices(entered, wrong=to)
    response = go("/")
    keep_session(response, context, secret, moved)
    return response


ROUTES: list[Any] = [people, end, structures, choose]


async def _choices(
    entered: Entered, *, wanted: str = "", wrong: str = "", wish: str = ""
) -> Response[str]:
    """`wrong`: the structure whose reason was too short; `wish`: what is to be had at home only."""
    visit = entered.visit
    choices = await to_thread.run_sync(_granted, entered)
    sums = await to_thread.run_sync(clock_sums, visit.context.store, entered.session, visit.now)
    return page(
        entered.visit,
        "structures.html",
        status=422 if wrong else 200,
        choices=choices,
        sums=sums,
        wrong=wrong,
        is_for_account=wish == "account" and not entered.session.is_home,
        wanted=wanted or wrong,
        hours=_hours(),
        shortest=access.SHORTEST_REASON,
        longest=access.LONGEST_REASON,
    )


def _granted(entered: Entered) -> list[Choice]:
    store, session = entered.visit.context.store, entered.session
    home = session.home or session.structure
    roles = {at: grant.role for at, grant in store.grants_of(session.person) if at != home}
    return [
        Choice(id=s.id, name=s.name, role=roles.get(s.id), is_here=s.id == session.structure)
        for s in sorted(store.structures(), key=lambda s: (s.id != home, s.name.casefold()))
        if s.id == home or s.id in roles
    ]


def _people(unit: Unit, name: str) -> PeoplePage:
    there = access.in_force(unit)
    return PeoplePage(
        structure_name=name,
        own=tuple(grant for grant in there if grant.is_home),
        others=tuple(grant for grant in there if not grant.is_home),
        ended=tuple(grant for grant in unit.grants() if grant.ended_at is not None),
        admissions=tuple(unit.admissions()),
    )


def _hours() -> int:
    return int(access.STAY.longest.total_seconds() // 3600)
