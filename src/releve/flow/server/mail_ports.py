"""What calls by mail need of the world: a mailbox, somebody who sends, and rows."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from releve.model.mail import KeptMail, MailboxState, StrayMail


class MailFailed(Exception):  # noqa: N818  # a control value of this port
    """The mail server could not be used; `why` is a constant: "unreachable", "login", "tls", "refused"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A mail as it lies in the mailbox. `raw`: its beginning; `size`: of all of it."""

    uid: int
    at: dt.datetime
    size: int
    raw: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent back, once a call."""

    to: str
    message_id: str
    replies_to: str
    title: str
    body: str


class Letters(Protocol):
    """A mailbox that is open. All raise MailFailed."""

    @property
    def validity(self) -> int:
        """Another number means that its uids are other mails' now."""
        ...

    def uids(self, after: int, since: dt.date | None = None) -> list[int]:
        """In order; with `since` those that arrived that day or later."""
        ...

    def fetch(self, uid: int) -> Arrived | None:
        """None: it is gone. Changes nothing."""
        ...

    def acknowledge(self, uid: int) -> None: ...
    def close(self) -> None: ...


class Postman(Protocol):
    def send(self, answer: Answer) -> None:
        """Handed over when it returns; it may be sent twice. Raises: MailFailed."""
        ...


class Mailbox(msgspec.Struct, frozen=True):
    """One mailbox and its ways. `key`: under which the database knows it."""

    key: str
    address: str
    open_letters: Callable[[], Letters]
    postman: Postman


class Waiting(msgspec.Struct, frozen=True):
    """A mail that was not answered yet."""

    mail: KeptMail
    tries: int


class MailUnit(Protocol):
    """A structure's mails."""

    def add_mail(self, mail: KeptMail, answer_at: dt.datetime | None) -> bool:
        """False when it was taken before."""
        ...

    def mails_of(self, request: str) -> list[KeptMail]:
        """Oldest first."""
        ...

    def request_of_mails(self, message_ids: Sequence[str]) -> str | None:
        """The call that one of these mails belongs to, the newest."""
        ...

    def waiting_answers(self, now: dt.datetime) -> list[Waiting]: ...
    def put_answer(self, mail: str, again_at: dt.datetime | None, tries: int) -> None:
        """When it is tried again; None: no more."""
        ...


class MailStore(Protocol):
    """What belongs to no structure: how far a mailbox was read, and who wrote without being known."""

    def mailbox(self, key: str) -> MailboxState | None: ...
    def put_mailbox(self, key: str, state: MailboxState) -> None: ...
    def add_stray(self, mail: StrayMail) -> None:
        """One that is kept already stays."""
        ...

    def strays(self) -> list[StrayMail]:
        """Newest first."""
        ...

    def forget_strays(self, before: dt.datetime) -> None: ...
