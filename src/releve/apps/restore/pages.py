"""The wizard's pages: what are you looking for, which one, as of when, is it this one, done.

What was looked for stays here, in memory, by session: no name stands in an address, where browsers
would keep it.
"""

import datetime as dt
from collections import OrderedDict
from pathlib import PurePath
from typing import Any

import msgspec
import structlog
from anyio import CapacityLimiter, Lock, to_thread
from litestar import Litestar, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.adapters.finding import Hit, look_at
from releve.adapters.preview.drawing import Drawn, Why
from releve.apps.restore.telling import SEE, Teller
from releve.apps.restore.wizard import Back, Offers, Wizard
from releve.apps.web.site import (
    AnyRequest,
    Inside,
    Site,
    application,
    enter,
    form_of,
    go,
    page,
)
from releve.apps.web.words import ZONE
from releve.flow.backup import VerificationFailedError
from releve.model.clean import Verdict
from releve.model.errors import ReleveError
from releve.recover.said_time import Meant, understood
from releve.recover.wanted import Wanted

log = structlog.get_logger()
MOST_BYTES = 64 * 1024  # of a form
_MOST_SESSIONS = 50
_SHOWN = 100
_LONGEST = 200
_WORK = CapacityLimiter(2)  # a search reads much: care comes first


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The version that was looked at last."""

    which: int  # of the offers
    drawn: Drawn


class Task(msgspec.Struct, kw_only=True):
    """What one person is at."""

    said: str = ""
    folder: str = ""
    said_when: str = ""
    day: str = ""
    hour: str = ""
    meant: Meant | None = None
    hits: list[Hit] = []
    is_cut: bool = False
    is_troubled: bool = False
    at: int = -1  # which hit `offers` is of
    offers: Offers | None = None
    back: Back | None = None
    seen: Seen | None = None
    done_for: tuple[int, bool] | None = None  # the version and place that `back` tells of
    lock: Lock = msgspec.field(default_factory=Lock)


class Desk:
    """The wizard, its teller, and what each session is at."""

    def __init__(self, wizard: Wizard, teller: Teller) -> None:
        self.wizard, self.teller = wizard, teller
        self._tasks: OrderedDict[str, Task] = OrderedDict()

    def task(self, secret: str) -> Task:
        """What this session is at; a new one after a restart of the program."""
        found = self._tasks.setdefault(secret, Task())
        self._tasks.move_to_end(secret)
        while len(self._tasks) > _MOST_SESSIONS:
            self._tasks.popitem(last=False)
        return found

    def begin(self, secret: str, task: Task) -> None:
        self._tasks[secret] = task


def wizard_site(site: Site, wizard: Wizard, teller: Teller) -> Litestar:
    """The whole site."""
    routes = [start, look, hits, versions, preview, picture, choose, done]
    return application(site, routes, most_bytes=MOST_BYTES, desk=Desk(wizard, teller))


def _desk(request: AnyRequest) -> Desk:
    found: Desk = request.app.state["desk"]
    return found


@get("/")
async def start(request: AnyRequest) -> Response[str]:
    inside, desk = enter(request), _desk(request)
    return _ask(inside, desk, Task(), wrong="")


@post("/chercher", status_code=200)
async def look(request: AnyRequest) -> Response[str]:
    inside, desk = enter(request), _desk(request)
    task = _asked(await form_of(request, inside.session), inside.visit.now)
    if not Wanted.of(task.said).is_enough:
        return _ask(inside, desk, task, wrong="words")
    if task.meant is None and (task.said_when or task.day or task.hour):
        return _ask(inside, desk, task, wrong="when")
    found = await to_thread.run_sync(desk.wizard.look, task.said, task.folder, limiter=_WORK)
    task.hits, task.is_troubled = list(found.hits[:_SHOWN]), found.is_troubled
    task.is_cut = found.is_cut or len(found.hits) > _SHOWN
    desk.begin(inside.secret, task)
    who = inside.session.person
    await to_thread.run_sync(desk.teller.note, "looked", who, inside.visit.address)
    return go("/fichiers/0" if len(task.hits) == 1 else "/fichiers")


def _asked(fields: dict[str, str], now: dt.datetime) -> Task:
    task = Task(
        said=fields.get("nom", "").strip()[:_LONGEST],
        folder=fields.get("dossier", "")[:4096],
        said_when=fields.get("quand", "").strip()[:_LONGEST],
        day=fields.get("jour", "")[:10],
        hour=fields.get("heure", "")[:5],
    )
    task.meant = understood(f"{task.said_when} {task.day} {task.hour}", now.astimezone(ZONE))
    return task


def _ask(inside: Inside, desk: Desk, task: Task, *, wrong: str) -> Response[str]:
    today = inside.visit.now.astimezone(ZONE).date().isoformat()
    folders = [(folder, PurePath(folder).name or folder) for folder in desk.wizard.folders]
    facts = {"task": task, "wrong": wrong, "folders": folders, "today": today}
    return page(inside.visit, "ask.html", status=422 if wrong else 200, **facts)


@get("/fichiers")
async def hits(request: AnyRequest) -> Response[str]:
    inside, desk = enter(request), _desk(request)
    task = desk.task(inside.secret)
    if not task.said:
        return go("/")
    rows = [(number, hit, _place(desk, hit.path)) for number, hit in enumerate(task.hits)]
    return page(inside.visit, "hits.html", task=task, rows=rows)


@get("/fichiers/{number:int}")
async def versions(request: AnyRequest, number: FromPath[int]) -> Response[str]:
    inside, desk = enter(request), _desk(request)
    task = desk.task(inside.secret)
    if not 0 <= number < len(task.hits):
        return go("/")
    at = task.meant.at.astimezone(dt.UTC) if task.meant else None
    task.at, task.done_for, task.seen = number, None, None
    hit = await to_thread.run_sync(look_at, task.hits[number].path)
    hit = hit if hit.is_there else task.hits[number]
    task.offers = await to_thread.run_sync(desk.wizard.offers, hit, at, limiter=_WORK)
    return _versions(inside, desk, task, wrong="")


def _versions(inside: Inside, desk: Desk, task: Task, *, wrong: str) -> Response[str]:
    offers = task.offers
    if offers is None:
        return go("/")
    path = offers.hit.path
    minutes = [offer.version.at.replace(second=0, microsecond=0) for offer in offers.offers]
    return page(
        inside.visit,
        "versions.html",
        status=422 if wrong else 200,
        task=task,
        offers=offers,
        name=PurePath(path).name,
        place=_place(desk, path),
        wrong=wrong,
        seen=task.seen,
        may_see=inside.session.may(SEE),
        chosen=task.seen.which if task.seen else offers.chosen,
        close=len(set(minutes)) < len(minutes),  # minutes would not tell them apart
    )


@get("/fichiers/{number:int}/apercu/{which:int}")
async def preview(
    request: AnyRequest, number: FromPath[int], which: FromPath[int]
) -> Response[str]:
    inside, desk = enter(request, SEE), _desk(request)
    task = desk.task(inside.secret)
    offers = task.offers
    if offers is None or task.at != number or not 0 <= which < len(offers.offers):
        return go("/fichiers")
    offer = offers.offers[which]
    try:
        drawn = await to_thread.run_sync(desk.wizard.preview, offer, limiter=_WORK)
    except (ReleveError, OSError) as error:
        log.warning("preview_failed", error=type(error).__name__)
        drawn = Drawn(why=Why.FAILED)
    task.seen = Seen(which=which, drawn=drawn)
    who, address = inside.session.person, inside.visit.address
    await to_thread.run_sync(desk.teller.note, "previewed", who, address, offer.version.path)
    return _versions(inside, desk, task, wrong="")


@get("/apercu")
async def picture(request: AnyRequest) -> Response[bytes]:
    """The picture of the version that was looked at last."""
    inside, desk = enter(request, SEE), _desk(request)
    seen = desk.task(inside.secret).seen
    if seen is None or not seen.drawn.png:
        raise NotFoundException
    return Response(seen.drawn.png, media_type="image/png")


@post("/fichiers/{number:int}", status_code=200)
async def choose(request: AnyRequest, number: FromPath[int]) -> Response[str]:
    inside, desk = enter(request), _desk(request)
    fields = await form_of(request, inside.session)
    task = desk.task(inside.secret)
    offers = task.offers
    if offers is None or task.at != number:
        return go("/fichiers")
    said = fields.get("version", "")
    if not said.isdecimal() or int(said) >= len(offers.offers):
        return _versions(inside, desk, task, wrong="none")
    offer = offers.offers[int(said)]
    # What is doubtful never takes the place of what is there.
    in_place = fields.get("ou") == "place" and offer.verdict is not Verdict.SUSPECT
    who, address = inside.session.person, inside.visit.address

    def work() -> Back:
        try:
            made = desk.wizard.put_back(offer, in_place=in_place)
        except (ReleveError, OSError) as error:
            desk.teller.note("failed", who, address, offer.version.path, type(error).__name__)
            raise
        desk.teller.restored(made, who, address)
        return made

    wanted = (int(said), in_place)
    try:
        async with task.lock:  # of two clicks the second finds it done
            if task.done_for != wanted:
                task.back = await to_thread.run_sync(work, limiter=_WORK)
                task.done_for = wanted
    except (ReleveError, OSError) as error:
        log.warning("restore_failed", error=type(error).__name__)  # no name: this log may travel
        wrong = "verify" if isinstance(error, VerificationFailedError) else "failed"
        return _versions(inside, desk, task, wrong=wrong)
    return go("/fait")


@get("/fait")
async def done(request: AnyRequest) -> Response[str]:
    inside, desk = enter(request), _desk(request)
    task = desk.task(inside.secret)
    back = task.back
    if back is None:
        return go("/")
    facts: dict[str, Any] = {
        "back": back,
        "number": task.at,
        "name": PurePath(back.to).name,
        "place": _place(desk, back.to),
        "kept_name": PurePath(back.kept_as).name if back.kept_as else "",
        "aside": [PurePath(path).name for path in back.set_aside],
    }
    return page(inside.visit, "done.html", **facts)


def _place(desk: Desk, path: str) -> str:
    """The folder as people know it: from the shared folder's name on."""
    parent = PurePath(path).parent
    for folder in map(PurePath, desk.wizard.folders):
        if folder in (parent, *parent.parents):
            inside = parent.relative_to(folder).parts
            return " › ".join((folder.name or str(folder), *inside))
    return str(parent)
