"""What agents ask: enrolment, batches, orders. Every answer is signed over its request's nonce."""

from typing import Any

import msgspec
import structlog
import zstandard
from anyio import to_thread
from litestar import Response, get, post
from litestar.enums import MediaType
from litestar.params import FromQuery

from releve.apps.console.context import AnyRequest, Context, context_of
from releve.flow import envelope
from releve.flow.server.assist.telling import ask_from_host, state_of_host
from releve.flow.server.enrol import enrol
from releve.flow.server.ingest import Call, authenticate, pending_orders, take
from releve.flow.server.live import orders_of
from releve.flow.server.refusal import Refused
from releve.flow.wire import (
    MOST_BATCH_BYTES,
    Batch,
    EnrolRequest,
    HelpAsk,
    Orders,
    Refusal,
    decode_batch,
    encode,
)
from releve.model.order import SignedOrder

log = structlog.get_logger()

_LONGEST_WAIT = 55.0
_LOOK_AGAIN = 2.0  # another server process may have the news
_STATUS = {
    "unknown_agent": 401,
    "forged": 401,
    "clock": 401,
    "replayed": 409,
    "unreadable": 400,
    "too_many": 429,
}
_PUBLIC_KEY_BYTES = 32


@post("/api/v1/enrol", status_code=200)
async def enrol_agent(request: AnyRequest) -> Response[bytes]:
    context, call = context_of(request), await _call(request)
    try:
        wanted = msgspec.json.decode(call.body, type=EnrolRequest)
    except msgspec.DecodeError:
        return _refuse(context, call, "unreadable")
    message = envelope.request_bytes(call.method, call.target, call.stamp, call.body)
    # Who enrols shows that it holds the key: nobody can enrol another's.
    if len(wanted.public_key) != _PUBLIC_KEY_BYTES or not envelope.is_signed(
        wanted.public_key, message, call.signature
    ):
        return _refuse(context, call, "forged")
    now = context.clock.now()
    reply = await to_thread.run_sync(enrol, context.store, wanted, context.new_id(), now)
    if reply is None:
        log.warning("enrolment_refused")
        return _refuse(context, call, "token", 403)
    log.info("host_enrolled", structure=reply.structure, host=reply.host)
    context.live.touch(reply.structure)
    return _answer(context, call, encode(reply))


@post("/api/v1/batches", status_code=200)
async def take_batch(request: AnyRequest) -> Response[bytes]:
    context, call = context_of(request), await _call(request)
    try:
        structure, host = await _known(context, call)
        batch = await to_thread.run_sync(_unpack, call.body)
        now = context.clock.now()
        taken = await to_thread.run_sync(take, context.store, structure, host, batch, now)
    except Refused as refused:
        return _refuse(context, call, refused.why)
    except (zstandard.ZstdError, msgspec.DecodeError):
        return _refuse(context, call, "unreadable")
    log.info("batch_stored", host=host, events=len(batch.items), stored=taken.stored)
    context.live.touch(structure)
    return _answer(context, call, encode(taken.ack))


@get("/api/v1/orders")
async def wait_orders(
    request: AnyRequest, after: FromQuery[int] = 0, wait: FromQuery[float] = 0
) -> Response[bytes]:
    context, call = context_of(request), await _call(request)
    try:
        structure, host = await _known(context, call)
    except Refused as refused:
        return _refuse(context, call, refused.why)
    left = min(wait, _LONGEST_WAIT)
    while True:
        known = context.live.version(orders_of(structure))
        orders = await to_thread.run_sync(_orders_after, context, structure, host, after)
        if orders or left <= 0 or context.live.is_closing:
            break
        await context.live.wait(orders_of(structure), known, min(left, _LOOK_AGAIN))
        left -= _LOOK_AGAIN
    answer = Orders(orders=orders, server_time=context.clock.now())
    return _answer(context, call, encode(answer))


@post("/api/v1/help", status_code=200)
async def ask_help(request: AnyRequest) -> Response[bytes]:
    """Help asked from a host; asked again under its id it tells how far the call is."""
    context, call = context_of(request), await _call(request)
    try:
        structure, host = await _known(context, call)
        wanted = msgspec.json.decode(call.body, type=HelpAsk)
        now = context.clock.now()
        told = await to_thread.run_sync(ask_from_host, context.store, structure, host, wanted, now)
    except Refused as refused:
        return _refuse(context, call, refused.why)
    except msgspec.DecodeError:
        return _refuse(context, call, "unreadable")
    context.live.touch(structure)
    return _answer(context, call, encode(told))


@get("/api/v1/help/state")
async def help_state(request: AnyRequest) -> Response[bytes]:
    """What the help page of the host that asks shows."""
    context, call = context_of(request), await _call(request)
    try:
        structure, host = await _known(context, call)
    except Refused as refused:
        return _refuse(context, call, refused.why)
    now = context.clock.now()
    told = await to_thread.run_sync(state_of_host, context.store, structure, host, now)
    return _answer(context, call, encode(told))


@get("/api/v1/authority", media_type=MediaType.TEXT)
async def authority(request: AnyRequest) -> Response[bytes]:
    """The server's own authority; public, and checked by its digest in the enrolment token."""
    return Response(context_of(request).authority, media_type="application/x-pem-file")


ROUTES: list[Any] = [enrol_agent, take_batch, wait_orders, ask_help, help_state, authority]


def _orders_after(
    context: Context, structure: str, host: str, after: int
) -> tuple[SignedOrder, ...]:
    now = context.clock.now()
    with context.store.unit(structure, writes=False) as unit:
        return pending_orders(unit, host, now, after=after)


async def _known(context: Context, call: Call) -> tuple[str, str]:
    return await to_thread.run_sync(authenticate, context.store, call, context.clock.now())


def _unpack(body: bytes) -> Batch:
    # A body that unfolds without end must not fill the memory: read at most so much.
    # The window is memory that the body itself asks for: never more than a whole batch.
    unfold = zstandard.ZstdDecompressor(max_window_size=MOST_BATCH_BYTES)
    reader = unfold.stream_reader(body)
    data = reader.read(MOST_BATCH_BYTES + 1)
    if len(data) > MOST_BATCH_BYTES:
        raise zstandard.ZstdError("the batch unfolds to too much")
    return decode_batch(data)


async def _call(request: AnyRequest) -> Call:
    query = request.scope["query_string"].decode("latin-1")
    headers = request.headers
    stamp = envelope.Stamp(
        agent=headers.get(envelope.AGENT, "")[:200],
        time=headers.get(envelope.TIME, "")[:64],
        nonce=headers.get(envelope.NONCE, "")[:64],
    )
    return Call(
        method=request.method,
        target=request.scope["path"] + (f"?{query}" if query else ""),
        stamp=stamp,
        signature=headers.get(envelope.SIGNATURE, ""),
        body=await request.body(),
    )


def _refuse(context: Context, call: Call, why: str, status: int = 0) -> Response[bytes]:
    if why != "clock":
        log.warning("request_refused", why=why, target=call.target, agent=call.stamp.agent)
    body = encode(Refusal(refused=why, server_time=context.clock.now()))
    return _answer(context, call, body, status or _STATUS.get(why, 400))


def _answer(context: Context, call: Call, body: bytes, status: int = 200) -> Response[bytes]:
    signed = envelope.response_bytes(call.stamp.nonce, status, body)
    headers = {envelope.SIGNATURE: envelope.sign(context.key, signed), "cache-control": "no-store"}
    return Response(body, status_code=status, media_type="application/json", headers=headers)
