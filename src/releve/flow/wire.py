"""What agent and server say to each other. Both ignore unknown keys; `v` tells the generation."""

import datetime as dt

import msgspec

from releve.model.event import AnyEvent
from releve.model.order import SignedOrder

MOST_BODY_BYTES = 4 * 1024 * 1024  # of a request, packed
MOST_BATCH_BYTES = 32 * 1024 * 1024  # of a batch, unpacked: a small body may unfold without end


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One event in its place; raw, for a newer agent's event is stored though not understood."""

    seq: int
    event: msgspec.Raw


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """How the agent itself is; told with every batch, an empty one too (heartbeat)."""

    version: str = ""
    guard_running: bool | None = None  # None: this host never ran a guard
    waiting_events: int = 0
    is_demonstration: bool = False  # what is told here is a simulation's
    has_no_folders: bool = False  # it was taken in to guard and back up nothing, and does so


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Events in order. `spool` names the life of the spool file in which `seq` counts."""

    spool: str
    items: tuple[Item, ...] = ()
    vitals: Vitals = Vitals()
    v: int = 1


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """Everything up to `watermark` is stored durably and may leave the spool."""

    watermark: int
    orders: tuple[SignedOrder, ...] = ()
    server_time: dt.datetime


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    orders: tuple[SignedOrder, ...]
    server_time: dt.datetime


class EnrolRequest(msgspec.Struct, frozen=True, kw_only=True):
    secret: bytes
    public_key: bytes
    name: str
    carries_care: bool = True  # who does not know is asked before anything is cut
    care_role: str = ""


class EnrolReply(msgspec.Struct, frozen=True, kw_only=True):
    structure: str
    structure_name: str
    host: str
    server_time: dt.datetime


class HelpAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Help asked from a host. Sending it again under its id tells how far it is, and asks nothing new."""

    id: str
    text: str
    is_blocked: bool = False
    phone: str = ""
    at: dt.datetime  # the server's time, as near as the host knows it
    by: str = ""  # the host's user who asks, as its kernel says


class HelpTold(msgspec.Struct, frozen=True, kw_only=True):
    """How far a call for help is. `rung`: names of who was told, in order."""

    request: str
    phase: str
    rung: tuple[str, ...] = ()
    comes: str = ""
    phones: tuple[str, ...] = ()  # whom to call oneself: "name number"
    server_time: dt.datetime


class HostTold(msgspec.Struct, frozen=True, kw_only=True):
    """What the server knows that the host's own help page shows."""

    incidents: int  # open ones that this host is in
    last_good_backup_at: dt.datetime | None = None
    phones: tuple[str, ...] = ()  # whom to call oneself: "name number"
    server_time: dt.datetime


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was not taken; signed like every answer, so that its time can be trusted."""

    refused: str
    server_time: dt.datetime


encode = msgspec.json.Encoder().encode
_decode_event = msgspec.json.Decoder(AnyEvent).decode


def decode_event(body: bytes | msgspec.Raw) -> AnyEvent | None:
    """None for an event of a kind, or in a form, that this side does not know."""
    try:
        event: AnyEvent = _decode_event(body)
    except msgspec.DecodeError:
        return None
    return event


decode_batch = msgspec.json.Decoder(Batch).decode
