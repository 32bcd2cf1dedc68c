"""What the server's pages and interfaces work with."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Request

from releve.flow.clock import Clock
from releve.flow.server.identity.entering import Entering
from releve.flow.server.identity.leaving import Leaving
from releve.flow.server.live import Live
from releve.flow.server.ports import Store
from releve.flow.server.shipping import Shipments
from releve.model.dossier import Form
from releve.model.law import Law
from releve.model.playbook import Playbooks
from releve.model.privacy import Papers


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One server. Nothing in it is global, so that two can live in one test."""

    store: Store
    clock: Clock
    live: Live
    key: Ed25519PrivateKey
    new_id: Callable[[], str]
    new_secret: Callable[[], bytes]
    setup_code: Callable[[], str]  # empty once the first person exists
    setup_done: Callable[[], None]
    law: Law
    forms: tuple[Form, ...]
    authority: bytes = b""  # PEM; empty over plain http on loopback
    is_secure: bool = False
    url: str = ""
    entering: Entering
    leaving: Leaving
    playbooks: Playbooks
    papers: dict[str, Papers]  # by language
    keep: dt.timedelta | None  # how long events are kept; None: for ever
    shipments: Shipments  # of the signed heads of audit trails


AnyRequest = Request[Any, Any, Any]


def context_of(request: AnyRequest) -> Context:
    context: Context = request.app.state["context"]
    return context
