"""Tools that people connect to the server: their tokens, and the answers that were given to writes."""

import datetime as dt
from enum import StrEnum

import msgspec


class Scope(StrEnum):
    """What a token is good for."""

    HOSTS_READ = "hosts:read"
    INCIDENTS_READ = "incidents:read"
    INCIDENTS_WRITE = "incidents:write"
    HELP_READ = "help:read"
    HELP_WRITE = "help:write"
    OBLIGATIONS_READ = "obligations:read"
    STATEMENTS_READ = "statements:read"
    VAULTS_READ = "vaults:read"
    WEBHOOKS_WRITE = "webhooks:write"


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A tool's key to one structure; the same `id` in each structure that it opens.

    `person`: who made it in the console; it never does more than they may. Empty: made on the server.
    """

    id: str
    name: str  # the tool, and what for
    scopes: tuple[Scope, ...]
    made_by: str
    made_at: dt.datetime
    expires_at: dt.datetime
    person: str = ""
    revoked_at: dt.datetime | None = None
    revoked_by: str = ""

    def is_good(self, now: dt.datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


class UsedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token, and when it was last used, to the minute."""

    token: ApiToken
    used_at: dt.datetime | None = None


class GivenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a write was answered; asked again under its key, it is answered the same."""

    asked: str  # SHA-256 of the request
    status: int
    body: bytes
