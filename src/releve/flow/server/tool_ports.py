"""What connected tools need of the database and of the network, beside what the console needs."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Protocol

import msgspec

from releve.model.help import HelpRequest
from releve.model.incident import Entry, Incident
from releve.model.tool import ApiToken, GivenAnswer, UsedToken
from releve.model.webhook import Delivery, Webhook


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page, newest first: its time and its id."""

    at: dt.datetime
    id: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{1,200}$")]


class ToolUnit(Protocol):
    """A unit's tokens, webhooks, and pages of rows."""

    def put_api_token(self, token: ApiToken, token_hash: str) -> None: ...
    def api_tokens(self) -> list[UsedToken]:
        """Newest first, those that ended too."""
        ...

    def api_token(self, token: str) -> ApiToken | None: ...
    def change_api_token(self, token: ApiToken) -> None: ...
    def use_api_token(self, token: str, at: dt.datetime) -> None: ...
    def api_answer(self, token: str, key: str) -> GivenAnswer | None: ...
    def put_api_answer(self, token: str, key: str, answer: GivenAnswer, at: dt.datetime) -> None:
        """Sealed: it may hold a secret."""
        ...

    def forget_api_answers(self, before: dt.datetime) -> None: ...

    def add_webhook(self, webhook: Webhook, key: bytes) -> None:
        """`key`: signs its messages; sealed."""
        ...

    def put_webhook(self, webhook: Webhook) -> None: ...
    def webhooks(self) -> list[Webhook]:
        """Oldest first."""
        ...

    def webhook(self, webhook: str, *, lock: bool = False) -> tuple[Webhook, bytes] | None:
        """With its key."""
        ...

    def drop_webhook(self, webhook: str) -> None:
        """Its messages go with it."""
        ...

    def put_delivery(self, delivery: Delivery) -> None: ...
    def delivery(self, delivery: str) -> Delivery | None: ...
    def deliveries(self, webhook: str, *, most: int = 50) -> list[Delivery]:
        """Newest first."""
        ...

    def claim_deliveries(
        self, webhooks: Sequence[str], now: dt.datetime, until: dt.datetime, *, most: int
    ) -> list[Delivery]:
        """Those of these webhooks that are due; nobody else gets them before `until`."""
        ...

    def wake_deliveries(self, now: dt.datetime) -> None:
        """Every one that waits is due now."""
        ...

    def next_delivery_at(self, webhooks: Sequence[str]) -> dt.datetime | None: ...
    def forget_deliveries(self, before: dt.datetime) -> None:
        """Those made before that wait for nothing."""
        ...

    def incident_page(self, after: Mark | None, *, most: int) -> list[Incident]: ...
    def entry_page(
        self, incidents: Sequence[str], after: Mark | None, *, most: int
    ) -> list[Entry]: ...
    def help_page(self, after: Mark | None, *, most: int) -> list[HelpRequest]: ...


class ToolStore(Protocol):
    """What is asked before a structure is known."""

    def api_tokens_of(self, token_hash: str) -> list[tuple[str, UsedToken]]:
        """(structure, token) of all structures that it opens or opened."""
        ...


class PostFailed(Exception):  # noqa: N818  # told by the driver, no error for people
    """`why`: "address" (not one to post to), "name" (not found), "tls", "time", "unreachable"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Poster(Protocol):
    """The way out. It reaches no address of this machine or its network unless that was allowed."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer; nothing of the answer is read. Raises: PostFailed."""
        ...
