"""Calls by mail: a mail of somebody known is a call, or joins the one it answers.

A mail is marked as read at its server once it is kept here, and one that is looked at twice is known by
what its author made of it: nothing is lost, and nothing taken twice.
"""

import datetime as dt
from collections.abc import Callable

import msgspec
import structlog

from releve.assist.letters import MOST_BYTES, parse
from releve.flow.clock import Clock
from releve.flow.server.assist.asking import (
    Asked,
    TooManyRings,
    check_rate,
    recent,
    ring_again,
    take_in,
)
from releve.flow.server.live import Live
from releve.flow.server.mail_ports import (
    Answer,
    Arrived,
    Letters,
    Mailbox,
    MailFailed,
    Waiting,
)
from releve.flow.server.ports import Store, Unit
from releve.flow.server.signin import digest
from releve.model.help import HelpRequest
from releve.model.mail import KeptMail, Letter, MailboxState, StrayMail

log = structlog.get_logger()

KEEP_STRAYS = dt.timedelta(days=30)
_MAIL, _CLOSED, _TRIES = "mail", "closed", 8
_FIRST_WAIT = dt.timedelta(seconds=15)  # doubled at each try: the last one is after half an hour
_A_MINUTE = dt.timedelta(minutes=1)
_OUTSIDE = ("insurer", "police", "software")  # contacts who do not speak for the structure
Addresses = dict[str, list[str]]  # of people who are known: their structures
Write = Callable[[str, HelpRequest], tuple[str, str]]  # structure's name, call: title and body


class Mailroom:
    """One server's part in reading the mailbox; `read` names the mailbox there is now."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        live: Live,
        *,
        read: Callable[[], Mailbox | None],
        write: Write,
    ) -> None:
        self._store, self._clock, self._live = store, clock, live
        self._read, self._write = read, write
        self._letters: Letters | None = None
        self._of: Mailbox | None = None
        self._answered_at: dt.datetime | None = None

    def look(self) -> None:
        """Take in what has come; trouble with the mail server is kept to be shown."""
        mailbox = self._read()
        if mailbox is None or self._of is None or mailbox.key != self._of.key:
            self._hang_up()
        if mailbox is None:
            return
        self._of = mailbox
        trouble = ""
        try:
            self._take_all(mailbox)
        except MailFailed as failed:
            trouble = failed.why
            self._hang_up()
        self._note(mailbox.key, trouble)

    def answer(self) -> None:
        """Apart from reading: a mail server that takes nothing must not delay a call."""
        mailbox = self._read()
        if mailbox is not None:
            self._answer_all(mailbox)

    def _hang_up(self) -> None:
        if self._letters is not None:
            self._letters.close()
        self._letters = None

    def _take_all(self, mailbox: Mailbox) -> None:
        if self._letters is None:
            self._letters = mailbox.open_letters()
        letters, now = self._letters, self._clock.now()
        state = self._store.mailbox(mailbox.key)
        is_known = state is not None and state.validity == letters.validity
        after = state.uid if state is not None and is_known else 0
        # The mailbox was made anew: whatever came since the day before is looked at once more.
        since = None if is_known else (now - dt.timedelta(days=1)).date()
        uids = letters.uids(after, since)
        known = self._addresses() if uids else {}
        for uid in uids:
            arrived = letters.fetch(uid)
            if arrived is not None:
                self._take(mailbox, arrived, known)
                letters.acknowledge(uid)
            seen = MailboxState(validity=letters.validity, uid=uid, looked_at=self._clock.now())
            self._store.put_mailbox(mailbox.key, seen)

    def _take(self, mailbox: Mailbox, arrived: Arrived, known: Addresses) -> None:
        now = self._clock.now()
        letter = parse(arrived.raw)
        structure, why = "", "unreadable"
        if isinstance(letter, Letter):
            structure, why = _owner(letter, mailbox, known)
        if isinstance(letter, Letter) and structure:
            try:
                keep(self._store, structure, letter, arrived, now)
            except TooManyRings:
                why = "too_many"
        if not why:
            self._live.touch(structure)
            self._answered_at = None
            return
        log.warning("mail_is_no_call", why=why)
        sender = letter.sender if isinstance(letter, Letter) else ""
        identity = digest(f"{mailbox.key}/{digest(arrived.raw.hex())}")
        self._store.add_stray(
            StrayMail(id=identity, arrived_at=arrived.at, sender=sender, why=why, size=arrived.size)
        )

    def _addresses(self) -> Addresses:
        found: Addresses = {}
        for structure in self._store.structures():
            with self._store.unit(structure.id, writes=False) as unit:
                profile = unit.profile()
            own = [c for c in (profile.contacts if profile else ()) if c.role not in _OUTSIDE]
            for address in {c.mail.strip().lower() for c in own if c.mail}:
                found.setdefault(address, []).append(structure.id)
        return found

    def _note(self, key: str, trouble: str) -> None:
        now, state = self._clock.now(), self._store.mailbox(key)
        if state is None:
            return
        if trouble == state.trouble and (trouble or now - state.looked_at < _A_MINUTE):
            return
        if trouble != state.trouble:
            log.warning("mailbox_not_read" if trouble else "mailbox_read_again", why=trouble)
        looked_at = state.looked_at if trouble else now
        told = msgspec.structs.replace(state, looked_at=looked_at, trouble=trouble)
        self._store.put_mailbox(key, told)
        self._store.forget_strays(now - KEEP_STRAYS)

    def _answer_all(self, mailbox: Mailbox) -> None:
        now = self._clock.now()
        if self._answered_at is not None and now - self._answered_at < _A_MINUTE:
            return
        self._answered_at = now
        for structure in self._store.structures():
            with self._store.unit(structure.id, writes=False) as unit:
                waiting = unit.waiting_answers(now)
            for one in waiting:
                self._answer(mailbox, structure.id, structure.name, one)

    def _answer(self, mailbox: Mailbox, structure: str, name: str, waiting: Waiting) -> None:
        mail, now = waiting.mail, self._clock.now()
        with self._store.unit(structure, writes=False) as unit:
            request = unit.help_request(mail.request)
        again_at, tries = None, waiting.tries + 1
        try:
            if request is not None:
                title, body = self._write(name, request)
                domain = mailbox.address.rpartition("@")[2]
                mailbox.postman.send(
                    Answer(
                        to=mail.sender,
                        message_id=f"<{answer_id(request.id)}@{domain}>",
                        replies_to=mail.message_id,
                        title=title,
                        body=body,
                    )
                )
        except MailFailed as failed:
            log.warning("mail_not_answered", why=failed.why, tries=tries)
            again_at = now + _FIRST_WAIT * 2**waiting.tries if tries < _TRIES else None
        with self._store.unit(structure) as unit:
            unit.put_answer(mail.id, again_at, tries)


def _owner(letter: Letter, mailbox: Mailbox, known: Addresses) -> tuple[str, str]:
    """(structure, ""), or ("", why it has none)."""
    if letter.is_automatic or letter.sender == mailbox.address.lower():
        return "", "automatic"
    if letter.is_forged:
        return "", "forged"
    owners = known.get(letter.sender, [])
    if len(owners) == 1:
        return owners[0], ""
    return "", "several" if owners else "unknown"


def answer_id(request: str) -> str:
    return f"releve.{request}"


def keep(store: Store, structure: str, letter: Letter, arrived: Arrived, now: dt.datetime) -> None:
    """The call that the mail is, or joins; the same mail again changes nothing. Raises: TooManyRings."""
    identity = digest(f"{structure}/mail/{letter.fingerprint}")[:32]
    with store.unit(structure) as unit:
        unit.hold()  # two servers may read one mailbox
        joined = _joined(unit, letter)
        mail = KeptMail(
            id=identity,
            request=joined.id if joined else identity,
            arrived_at=min(arrived.at, now),
            taken_at=now,
            sender=letter.sender,
            message_id=letter.message_id,
            received=letter.received,
            text=f"{letter.subject}\n{letter.text}".strip(),
            attachments=letter.attachments,
            is_cut=arrived.size > MOST_BYTES,
        )
        if not unit.add_mail(mail, None if joined else now):
            return
        check_rate(unit, (r for r in recent(unit, now) if r.asked_by == letter.sender), now)
        if joined is not None:
            ring_again(unit, joined.id, identity, now)
            return
        asked = Asked(
            id=identity, source=_MAIL, by=letter.sender, text=mail.text, at=mail.arrived_at
        )
        take_in(unit, asked, now)


def _joined(unit: Unit, letter: Letter) -> HelpRequest | None:
    """The open call whose mail, or whose answer of ours, it answers."""
    ours = [one.partition("@")[0].removeprefix("<releve.") for one in letter.thread]
    found = unit.request_of_mails(letter.thread) if letter.thread else None
    for identity in (found, *reversed(ours)):
        request = unit.help_request(identity) if identity else None
        if request is not None and request.course.phase != _CLOSED:
            return request
    return None
