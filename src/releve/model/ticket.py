"""A call for help as a ticket of the structure's own GLPI."""

import datetime as dt
from typing import Annotated

import msgspec

_Level = Annotated[int, msgspec.Meta(ge=1, le=5)]


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a call becomes a ticket, in GLPI's own numbers. What is 0 is left to GLPI."""

    entity: int = 0
    category: int = 0
    requester: int = 0  # a user of GLPI
    kind: int = 1  # 1: incident, 2: request
    urgency: _Level = 4
    urgency_blocked: _Level = 5
    solved: tuple[int, ...] = (5, 6)  # statuses that end a ticket


class Glpi(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is, and its keys: sealed at rest, and never shown."""

    url: str  # of apirest.php
    app_token: str
    user_token: str
    authority: str = ""  # its certificate (PEM), where the system's do not do
    mapping: Mapping = Mapping()
    since: dt.datetime  # calls of before make no ticket


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """How far a call was told. `due_at`: when it is looked at again; None: no more."""

    request: str
    number: int = 0  # GLPI's; 0: there is none yet
    told: int = 1  # the last step of the call that the ticket says, or need not say
    status: int = 0  # GLPI's, as last seen
    is_solved: bool = False  # we told that the call is closed
    tries: int = 0  # since something last went well
    trouble: str = ""
    due_at: dt.datetime | None
