"""What signing in by a provider needs of the database and of the network."""

import datetime as dt
from typing import Protocol

from releve.model.identity import IdentityInvite, IdentityLink, Provider


class IdentityUnit(Protocol):
    """Of one structure."""

    def add_identity(self, link: IdentityLink) -> bool:
        """False when somebody, of any structure, has this account of the provider already."""
        ...

    def put_identity(self, link: IdentityLink) -> None: ...
    def identity(self, identity: str, *, lock: bool = False) -> IdentityLink | None: ...
    def identities(self, *, person: str = "", provider: str = "") -> list[IdentityLink]:
        """Oldest first."""
        ...

    def drop_identity(self, identity: str) -> None: ...
    def put_invite(self, invite: IdentityInvite) -> None: ...
    def take_invite(self, invite: str, now: dt.datetime) -> IdentityInvite | None:
        """Once; None for one that is unknown, taken or over."""
        ...

    def drop_invites(self, provider: str) -> None: ...
    def forget_invites(self, now: dt.datetime) -> None: ...


class IdentityStore(Protocol):
    """Beside the structures: the providers, and whose an account is."""

    def providers(self) -> list[Provider]:
        """Oldest first."""
        ...

    def put_provider(self, provider: Provider) -> None:
        """Sealed: it holds a secret."""
        ...

    def drop_provider(self, name: str) -> None: ...
    def structure_of_identity(self, identity: str) -> str | None: ...
    def structure_of_invite(self, invite: str) -> str | None: ...


class ProviderFailedError(Exception):
    """A provider could not be asked, or says nothing usable of itself. The words are for who runs the server."""


class ProviderRefusedError(Exception):
    """A provider did not take a code. The word is the protocol's (`invalid_client`, `invalid_grant`)."""


class ProviderHttp(Protocol):
    """The way to providers: encrypted, nothing followed elsewhere, with limits of time and size."""

    async def fetch(self, provider: Provider, url: str) -> bytes:
        """Raises: ProviderFailedError."""
        ...

    async def redeem(
        self, provider: Provider, url: str, form: dict[str, str], *, in_header: bool
    ) -> bytes:
        """Send a form with the client's secret, in the header or beside the fields.

        Raises: ProviderFailedError, ProviderRefusedError.
        """
        ...
