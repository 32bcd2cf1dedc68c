"""What an escalation needs of the world: somebody who rings, and the words."""

from collections.abc import Callable
from typing import Protocol

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    body: str


class ChannelFailed(Exception):  # noqa: N818  # a control value of this port
    """The message was not handed over; `why` is a constant, it names no address."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Ringer(Protocol):
    def ring(self, url: str, message: Message) -> None:
        """Hand the message over before returning; it may come twice. Raises: ChannelFailed."""
        ...


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One ring to be made now. `code` opens the page on which it is acknowledged."""

    structure: str
    structure_name: str
    request: str
    number: int
    name: str
    language: str
    url: str
    phone: str
    is_blocked: bool
    is_reminder: bool  # of a legal clock: nobody asked
    is_attack: bool  # nobody asked: an incident wants a person
    code: str


Tell = Callable[[Call], Message]  # no patient data: it travels through other people's gateways
