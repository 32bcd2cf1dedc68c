"""Tokens of connected tools: made for a time, ended at once, and never worth more than who made them."""

import base64
import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.flow.server import access
from releve.flow.server.ports import NewSecret, Store, Unit
from releve.flow.server.signin import digest
from releve.model.access import Verb
from releve.model.tool import ApiToken, Scope, UsedToken

_MARK = "releve_"  # whoever scans for leaked secrets knows one by it
_PACE = dt.timedelta(minutes=1)  # "last used" is written no more often
LONGEST_NAME = 100
LONGEST_LIFE = dt.timedelta(days=366)
VERBS = {
    Scope.HOSTS_READ: Verb.LOOK,
    Scope.INCIDENTS_READ: Verb.SEE_INCIDENTS,
    Scope.INCIDENTS_WRITE: Verb.HANDLE_INCIDENTS,
    Scope.HELP_READ: Verb.SEE_DESK,
    Scope.HELP_WRITE: Verb.ASK_HELP,
    Scope.OBLIGATIONS_READ: Verb.SEE_DUTIES,
    Scope.STATEMENTS_READ: Verb.SEE_STATEMENTS,
    Scope.VAULTS_READ: Verb.LOOK,
    Scope.WEBHOOKS_WRITE: Verb.CHANGE_TOOLS,
}


class TokenRefused(Exception):  # noqa: N818  # told by the driver, no error for people
    """`why`: "name", "scopes", "life"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def new_token(new_secret: NewSecret) -> str:
    """What the tool keeps; the server keeps its digest."""
    return _MARK + base64.urlsafe_b64encode(new_secret()).decode().rstrip("=")


def make(store: Store, structures: Sequence[str], token: ApiToken, secret: str) -> None:
    """Open these structures, each in its own transaction and trail. Raises: TokenRefused."""
    _check(token)
    for structure in structures:
        with store.unit(structure) as unit:
            unit.hold()
            unit.put_api_token(token, digest(secret))
            about, scopes = f"api_token/{token.id}", " ".join(token.scopes)
            unit.record(token.made_at, token.made_by, about, "make", f"{token.name}: {scopes}")


def revoke(unit: Unit, token: str, *, actor: str, now: dt.datetime) -> ApiToken | None:
    """It opens this structure no more, from now on; None when there is none to end."""
    unit.hold()
    known = unit.api_token(token)
    if known is None or known.revoked_at is not None:
        return None
    ended = msgspec.structs.replace(known, revoked_at=now, revoked_by=actor)
    unit.change_api_token(ended)
    unit.record(now, actor, f"api_token/{token}", "revoke", known.name)
    return ended


def opened(store: Store, secret: str, now: dt.datetime) -> list[tuple[str, UsedToken]]:
    """(structure, token) of what a tool's secret opens now; none for one that is unknown or over."""
    return [
        (structure, used)
        for structure, used in store.api_tokens_of(digest(secret))
        if used.token.is_good(now)
    ]


def scopes_in(unit: Unit, token: ApiToken) -> tuple[Scope, ...]:
    """What it is good for here: asked anew each time, for who made it may have lost their role."""
    if not token.person:
        return token.scopes
    role = access.role_in(unit, token.person)
    return tuple(scope for scope in token.scopes if access.may(role, VERBS[scope]))


def tell_use(store: Store, structure: str, used: UsedToken, now: dt.datetime) -> None:
    if used.used_at is None or now - used.used_at >= _PACE:
        with store.unit(structure) as unit:
            unit.use_api_token(used.token.id, now)


def _check(token: ApiToken) -> None:
    if not 0 < len(token.name.strip()) <= LONGEST_NAME:
        raise TokenRefused("name")
    if not token.scopes:
        raise TokenRefused("scopes")
    if not dt.timedelta() < token.expires_at - token.made_at <= LONGEST_LIFE:
        raise TokenRefused("life")
