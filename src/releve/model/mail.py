"""Calls for help by mail: what a mail says, what of it is kept, and who wrote without being known."""

import datetime as dt

import msgspec


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail says. Nothing in it is believed before its sender is known."""

    sender: str  # the one address of From, in small letters; empty when there is not exactly one
    message_id: str
    thread: tuple[str, ...]  # ids of the mails that it answers, the oldest first
    subject: str
    text: str  # of its plain part; of HTML only the words
    attachments: int  # counted, never kept
    received: str  # the line of the server that took it in last: proof of the arrival
    is_automatic: bool  # a machine wrote it: an answer could go round for ever
    is_forged: bool  # that server found that its sender is not who it says
    fingerprint: str  # SHA-256 of what its author made: the same mail delivered twice has one


class KeptMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that is, or joined, a call."""

    id: str
    request: str
    arrived_at: dt.datetime  # by the mail server's clock: the call's own begins here
    taken_at: dt.datetime
    sender: str
    message_id: str
    received: str
    text: str
    attachments: int
    is_cut: bool  # longer than what is read


class StrayMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that became no call; it stays in its mailbox, and nothing it says is kept.

    `why`: "unknown", "several" (structures name this address), "automatic", "forged", "unreadable",
    "too_many".
    """

    id: str
    arrived_at: dt.datetime
    sender: str
    why: str
    size: int


class MailboxState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a mailbox was read. `trouble`: why it cannot be, since then; empty: it can."""

    validity: int
    uid: int
    looked_at: dt.datetime
    trouble: str = ""
