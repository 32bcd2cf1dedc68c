"""The whole server on one page."""

import datetime as dt
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import structlog
import uvicorn
from anyio import to_thread
from litestar import Litestar
from litestar.datastructures import State

from releve.adapters.apprise import AppriseRinger
from releve.adapters.content import forms, law, playbooks
from releve.adapters.glpi import GlpiDesk
from releve.adapters.http.addresses import Network
from releve.adapters.http.identity import HttpProviders
from releve.adapters.http.poster import HttpPoster
from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock, new_id
from releve.apps.api.pace import Pace
from releve.apps.api.routes import api_routes
from releve.apps.console.app import console_parts
from releve.apps.console.context import Context
from releve.apps.server import api, help_api, vault_api
from releve.apps.server.help_words import replying, telling, ticketing
from releve.apps.server.home import Home
from releve.apps.server.mailbox import mailbox_there
from releve.apps.server.paper_facts import papers_in
from releve.apps.web.headers import SafeHeaders
from releve.assist.escalation import Limits
from releve.flow.server import postures, situations, sums
from releve.flow.server.actions import expire
from releve.flow.server.assist.answering import LIMITS
from releve.flow.server.assist.escalating import Escalations
from releve.flow.server.assist.mailing import Mailroom
from releve.flow.server.assist.ticketing import Tickets
from releve.flow.server.audit import TrailBroken, sign_end
from releve.flow.server.identity.entering import Entering
from releve.flow.server.identity.leaving import Leaving
from releve.flow.server.live import EVERYTHING, Live
from releve.flow.server.reminding import remind_some
from releve.flow.server.retention import KEEP_DAYS, forget_old_events
from releve.flow.server.shipping import HeadPlace, Shipments, ship, why_of
from releve.flow.server.tools.sending import PATIENCE, Patience, Sender
from releve.flow.server.vaults import tell_silence
from releve.flow.wire import MOST_BODY_BYTES
from releve.model.circle import CircleKind
from releve.report.text import LANGS
from releve.triage.vaults import SILENT_AFTER

_HOUSEKEEPING_SECONDS = 30.0
_MAIL_SECONDS = 3.0
_TICKET_SECONDS = 5.0
_SUM_UP_SECONDS = 1.0
_HEADS_SECONDS = 60.0
_FORGET_SECONDS = 3600.0
_BITE_PAUSE_SECONDS = 0.2
log = structlog.get_logger()


def build(
    home: Home,
    store: SqlStore,
    *,
    is_secure: bool,
    url: str,
    keep: dt.timedelta | None = dt.timedelta(days=KEEP_DAYS),
    limits: Limits = LIMITS,
    places: Sequence[HeadPlace] = (),
    networks: Sequence[Network] = (),
    patience: Patience = PATIENCE,
    pace: Pace | None = None,
) -> tuple[Litestar, Context]:
    """The application.

    Args:
        keep: how long events are kept (None: for ever).
        limits: the times of an escalation.
        places: where the signed heads of the audit trail are shipped.
        networks: of the operator's own, into which webhooks may go.
        patience: with the receivers of webhooks.
        pace: how much a token of the API may ask.
    """
    clock = SystemClock()
    entering = Entering(store, HttpProviders(), clock, _new_secret, url)
    context = Context(
        store=store,
        clock=clock,
        live=Live(),
        key=home.signing_key(),
        new_id=new_id,
        new_secret=_new_secret,
        setup_code=home.setup_code,
        setup_done=home.drop_setup_code,
        law=law(),
        forms=forms(),
        authority=home.authority() if is_secure else b"",
        is_secure=is_secure,
        url=url,
        entering=entering,
        leaving=Leaving(store, entering.discovery, clock, _new_secret, url),
        playbooks=playbooks(),
        papers={lang: papers_in(lang, keep.days if keep else 0) for lang in LANGS},
        keep=keep,
        shipments=Shipments([place.name for place in places], home.shipments()),
    )
    parts = console_parts()
    escalations = Escalations(
        store,
        context.clock,
        context.live,
        ringer=AppriseRinger(),
        tell=telling(url),
        new_code=new_id,
        limits=limits,
    )
    sender = Sender(
        store,
        context.clock,
        context.live,
        poster=HttpPoster(networks),
        new_id=new_id,
        patience=patience,
    )

    mailroom = Mailroom(
        store,
        context.clock,
        context.live,
        read=lambda: mailbox_there(home.path),
        write=replying(url),
    )
    tickets = Tickets(store, context.clock, context.live, open_desk=GlpiDesk, words=ticketing(url))
    news = situations.News(context.live)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(escalations.run_forever)
            tasks.start_soon(sender.run_forever)
            up_since = context.clock.now()
            jobs: list[tuple[Callable[[], Awaitable[None]], float]] = [
                (lambda: _keep_house(context, up_since), _HOUSEKEEPING_SECONDS),
                (lambda: _in_thread(mailroom.look), _MAIL_SECONDS),
                (lambda: _in_thread(mailroom.answer), _MAIL_SECONDS),
                (lambda: _in_thread(tickets.look), _TICKET_SECONDS),
                (lambda: _sum_up(context, news), _SUM_UP_SECONDS),
                (lambda: _sign_heads(context, home, tuple(places)), _HEADS_SECONDS),
            ]
            if keep is not None:
                jobs.append((lambda: _forget(context, keep), _FORGET_SECONDS))
            for job, seconds in jobs:
                tasks.start_soon(_again_and_again, job, seconds)
            yield
            context.live.close()
            tasks.cancel_scope.cancel()

    app = Litestar(
        route_handlers=[
            *api.ROUTES,
            *vault_api.ROUTES,
            *help_api.ROUTES,
            *api_routes(pace or Pace()),
            *parts.routes,
        ],
        state=State({"context": context}),
        exception_handlers=parts.exception_handlers,
        lifespan=[lifespan],
        request_max_body_size=MOST_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
    )
    return app, context


def _new_secret() -> bytes:
    return secrets.token_bytes(32)


async def serve(
    app: Litestar, context: Context, listener: socket.socket, certificate: Path | None
) -> None:
    """Until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        SafeHeaders(app, is_secure=context.is_secure),
        log_level="warning",
        access_log=False,
        ssl_certfile=certificate,
        server_header=False,
        timeout_graceful_shutdown=3,
        proxy_headers=False,
    )
    await LettingGo(config, context).serve(sockets=[listener])


class LettingGo(uvicorn.Server):
    """Lets the long answers (live pages, waiting agents) go when the server is asked to end."""

    def __init__(self, config: uvicorn.Config, context: Context) -> None:
        super().__init__(config)
        self._context = context

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._context.live.close()
        await super().shutdown(sockets)


async def _again_and_again(job: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Never returns: a database that was busy, or one bad row, must not end what others wait for."""
    while True:
        try:
            await job()
        except Exception:
            log.exception("server_job_failed")
        await anyio.sleep(seconds)


async def _in_thread(job: Callable[[], None]) -> None:
    """For what waits for others: a server that ends does not wait with it."""
    await to_thread.run_sync(job, abandon_on_cancel=True)


async def _keep_house(context: Context, up_since: dt.datetime) -> None:
    await to_thread.run_sync(_tidy, context, up_since)


async def _sum_up(context: Context, news: situations.News) -> None:
    if await to_thread.run_sync(_renew, context, news):
        context.live.touch(EVERYTHING)


def _renew(context: Context, news: situations.News) -> int:
    now = context.clock.now()
    due = news.due([structure.id for structure in context.store.structures()], now)
    changed = 0
    for structure in due:
        try:
            changed += situations.renew(context.store, structure, now)
        except Exception:
            # One bad row must not keep the rows of every structure after it from being seen.
            log.exception("structure_not_summed_up", structure=structure)
    return changed


async def _sign_heads(context: Context, home: Home, places: tuple[HeadPlace, ...]) -> None:
    await to_thread.run_sync(_heads_of_all, context, places)
    told = context.shipments.all()
    if told or home.shipments():  # what was told of places that nobody names any more goes
        await to_thread.run_sync(home.keep_shipments, told)


def _heads_of_all(context: Context, places: tuple[HeadPlace, ...]) -> None:
    """What cannot be shipped now goes with the next one."""
    structures = context.store.structures()
    for structure in structures:
        try:
            sign_end(context.store, structure.id, context.key, context.clock.now())
        except TrailBroken:
            log.error("audit_trail_broken", structure=structure.id)  # noqa: TRY400 (told by verify)
    context.shipments.keep_only([structure.id for structure in structures])
    for place in places:
        for structure in structures:
            try:
                ship(context.store, structure.id, place)
                context.shipments.note(place.name, structure.id, context.clock.now())
            except OSError as error:
                why = why_of(error)
                context.shipments.note(place.name, structure.id, context.clock.now(), why)
                facts = {"place": place.name, "structure": structure.id, "why": error.strerror}
                log.error("audit_heads_not_shipped", **facts)  # noqa: TRY400


async def _forget(context: Context, keep: dt.timedelta) -> None:
    """In small bites, so that agents never wait long."""
    for structure in await to_thread.run_sync(context.store.structures):
        more = 1
        while more:
            now = context.clock.now()
            more = await to_thread.run_sync(
                forget_old_events, context.store, structure.id, now, keep
            )
            await anyio.sleep(_BITE_PAUSE_SECONDS)


def _tidy(context: Context, up_since: dt.datetime) -> None:
    now = context.clock.now()
    # A server that was off itself has heard nobody: first it listens for as long as it waits.
    has_listened = now - up_since > SILENT_AFTER
    context.store.forget_old(now)
    for structure in context.store.structures():
        try:
            _tidy_one(context, structure.id, now, has_listened=has_listened)
        except Exception:
            # One bad row must not keep the clocks of every structure after it from ringing.
            log.exception("structure_not_tidied", structure=structure.id)
    for circle in context.store.circles():
        if circle.kind is CircleKind.INSURER:
            sums.release(context.store, circle.id, now)


def _tidy_one(context: Context, structure: str, now: dt.datetime, *, has_listened: bool) -> None:
    with context.store.unit(structure) as unit:
        expire(unit, now)
    while remind_some(context.store, structure, context.law, now):
        pass  # in short transactions: who is killed in one has lost little
    situations.renew(context.store, structure, now)
    postures.keep(context.store, structure, now)
    if has_listened:
        tell_silence(context.store, structure, now)
