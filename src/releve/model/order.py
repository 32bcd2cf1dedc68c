"""Orders: what a structure's people ask of a host, signed, numbered and expiring."""

import datetime as dt

import msgspec


class Task(msgspec.Struct, frozen=True, kw_only=True, tag_field="task"):
    """What is to be done."""


class Isolate(Task, frozen=True, kw_only=True, tag="isolate"):
    """Cut the host from everything but the server; releases itself when it is not renewed."""

    minutes: int = 60


class Release(Task, frozen=True, kw_only=True, tag="release"):
    pass


class StopFamily(Task, frozen=True, kw_only=True, tag="stop_family"):
    """Stop a family and undo its doings; or end one that the guard froze and asked about."""

    family: str
    is_frozen: bool = False


class ThawFamily(Task, frozen=True, kw_only=True, tag="thaw_family"):
    """Let a frozen family go on: a person knows what it does."""

    family: str


class RestoreFile(Task, frozen=True, kw_only=True, tag="restore_file"):
    """Bring one path back as it was; only the host can resolve the token."""

    token: str
    as_of: dt.datetime


AnyTask = Isolate | Release | StopFamily | ThawFamily | RestoreFile


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order to one host. Numbers of a host only grow: an older or equal one is a replay."""

    id: str
    number: int
    structure: str
    host: str
    issued_at: dt.datetime
    expires_at: dt.datetime
    actor: str
    task: AnyTask


class SignedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """`order` is the exact bytes that were signed (JSON of an Order)."""

    order: bytes
    signature: bytes


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """An order's life on the server: proposed, decided, sent, ended. Nothing is ever removed."""

    id: str
    structure: str
    host: str
    number: int
    task: AnyTask
    state: str  # "proposed", "refused", "sent", "done", "failed", "expired"
    proposed_at: dt.datetime
    proposed_by: str
    expires_at: dt.datetime
    decided_by: str = ""
    people: int = 1  # how many different people must agree
    agreed_by: tuple[str, ...] = ()  # those who did, while more are needed
    detail: str = ""
    ended_at: dt.datetime | None = None
    why: str = ""  # in the words of who proposed it
    refused_why: str = ""  # in the words of who refused it
