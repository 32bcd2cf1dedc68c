"""Identity providers (OpenID Connect): who vouches for people, for whom, and who is invited."""

import datetime as dt

import msgspec


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One that people may sign in by.

    `name`: its word in addresses and commands. `structure`: whose people only; empty: of all.
    `authority`: PEM of who signed its certificate; empty: the system's own.
    """

    name: str
    title: str
    issuer: str
    discovery: str
    client_id: str
    secret: str
    scopes: tuple[str, ...]
    structure: str = ""
    require_acr: tuple[str, ...] = ()
    require_amr: tuple[str, ...] = ()
    authority: str = ""
    added_at: dt.datetime

    @property
    def is_strong(self) -> bool:
        """It says how it knew somebody, and is held to it: then it stands for both factors."""
        return bool(self.require_acr or self.require_amr)


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified ID token says. `email`: only one that the provider has verified."""

    subject: str
    session: str = ""  # the provider's own (`sid`)
    email: str = ""


class IdentityLink(msgspec.Struct, frozen=True, kw_only=True):
    """A person's account at a provider; `id`: a digest, neither the account nor its e-mail is kept."""

    id: str
    provider: str
    person: str
    made_at: dt.datetime
    used_at: dt.datetime | None = None


class IdentityInvite(msgspec.Struct, frozen=True, kw_only=True):
    """An administrator's word that an e-mail at a provider is a person's; `id`: a digest of it."""

    id: str
    provider: str
    person: str
    login: str
    until: dt.datetime


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A known kind of provider, by what it publishes.

    `issuer`: empty where each installation has its own. `discovery`: what follows it.
    """

    id: str
    title: str
    issuer: str
    discovery: str
    scopes: tuple[str, ...]
    require_acr: tuple[str, ...]
    valid_from: dt.date
    source: str
    tried: str
