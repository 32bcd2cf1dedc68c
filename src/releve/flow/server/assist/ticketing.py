"""Calls for help as tickets of the structure's GLPI, and what became of them there, back.

Apart from the escalation, which waits for nothing here. What is to be told follows from what is kept, so
a GLPI that was away, or a server that was killed, delays it and loses nothing.
"""

import datetime as dt
from collections.abc import Callable
from typing import assert_never

import msgspec
import structlog

from releve.assist.tickets import (
    Create,
    Follow,
    Look,
    Solve,
    Word,
    is_to_close,
    next_word,
    went_well,
    went_wrong,
)
from releve.flow.clock import Clock
from releve.flow.server.assist.answering import close
from releve.flow.server.live import Live
from releve.flow.server.ports import Store, Unit
from releve.flow.server.ticket_ports import GlpiFailed, Helpdesk
from releve.model.help import HelpRequest, Step
from releve.model.ticket import Glpi, Ticket

log = structlog.get_logger()

_LEASE = dt.timedelta(minutes=2)  # longer than the session's own waits together
_MOST_WAITED = dt.timedelta(minutes=1)  # for one structure's GLPI: the others' turn comes
_SHORT, _ACTOR = 8, "glpi"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The words of tickets: what happened, never what somebody wrote, and where it is read."""

    name: Callable[[HelpRequest, str], str]  # with its mark
    content: Callable[[HelpRequest], str]
    step: Callable[[HelpRequest, Step], str]
    solution: Callable[[HelpRequest], str]
    closed_there: Callable[[int], str]


class Tickets:
    """One server's part in telling them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        live: Live,
        *,
        open_desk: Callable[[Glpi], Helpdesk],
        words: Written,
    ) -> None:
        self._store, self._clock, self._live = store, clock, live
        self._open, self._words = open_desk, words

    def look(self) -> None:
        """Tell every ticket that is due one thing after the other.

        Whatever the GLPI of one structure answers, or does not: those of the others are told.
        """
        for structure in self._store.structures():
            try:
                self._look_at(structure.id)
            except Exception:
                log.exception("tickets_not_told", structure=structure.id)

    def _look_at(self, structure: str) -> None:
        with self._store.unit(structure, writes=False) as unit:
            glpi = unit.glpi()
            due = self._due(unit, glpi) if glpi else []
        if glpi and due:
            self._tell_all(structure, glpi, due)

    def _due(self, unit: Unit, glpi: Glpi) -> list[Ticket]:
        now = self._clock.now()
        recent = [r.id for r in unit.help_requests() if r.course.opened_at >= glpi.since]
        new = [Ticket(request=one, due_at=now) for one in unit.without_ticket(recent)]
        return [*new, *unit.due_tickets(now)]

    def _tell_all(self, structure: str, glpi: Glpi, due: list[Ticket]) -> None:
        until = self._clock.now() + _MOST_WAITED
        try:
            desk = self._open(glpi)
        except GlpiFailed as failed:
            self._postpone(structure, due, failed.why)
            return
        try:
            for ticket in due:
                if self._clock.now() > until:
                    log.warning("glpi_is_slow", structure=structure)
                    break  # what is left stays due
                self._tell(structure, glpi, desk, ticket)
        finally:
            desk.close()
        self._live.touch(structure)

    def _postpone(self, structure: str, due: list[Ticket], why: str) -> None:
        log.warning("glpi_not_reached", structure=structure, why=why)
        now = self._clock.now()
        with self._store.unit(structure) as unit:
            for ticket in due:
                if unit.claim_ticket(ticket, now + _LEASE):
                    unit.put_ticket(went_wrong(_more(ticket), why, now))

    def _tell(self, structure: str, glpi: Glpi, desk: Helpdesk, ticket: Ticket) -> None:
        while True:
            now = self._clock.now()
            with self._store.unit(structure) as unit:
                request = unit.help_request(ticket.request)
                if request is None or not unit.claim_ticket(ticket, now + _LEASE):
                    return
                if is_to_close(request, ticket, glpi.mapping):
                    done = self._words.closed_there(ticket.number)
                    request = close(unit, request.id, done, actor=_ACTOR, now=now) or request
                word = next_word(request, unit.help_steps(request.id), ticket, glpi.mapping)
                if word is None:
                    unit.put_ticket(msgspec.structs.replace(ticket, due_at=None))
                    return
            ticket = self._say(desk, request, word, _more(ticket))
            with self._store.unit(structure) as unit:
                unit.put_ticket(ticket)
            if ticket.trouble or (
                isinstance(word, Look) and ticket.status not in glpi.mapping.solved
            ):
                return

    def _say(self, desk: Helpdesk, request: HelpRequest, word: Word, ticket: Ticket) -> Ticket:
        try:
            said = self._perform(desk, request, word, ticket)
        except GlpiFailed as failed:
            log.warning("glpi_not_told", request=request.id, why=failed.why)
            gone = failed.why == "gone" and ticket.number > 0
            wrong = went_wrong(ticket, failed.why, self._clock.now())
            return msgspec.structs.replace(wrong, due_at=None) if gone else wrong
        return went_well(ticket, word, said, self._clock.now())

    def _perform(self, desk: Helpdesk, request: HelpRequest, word: Word, ticket: Ticket) -> int:
        mark = f"Relève {request.id[:_SHORT]}"
        match word:
            case Create(urgency=urgency, may_exist=may_exist):
                found = desk.find(mark) if may_exist else 0
                name, content = self._words.name(request, mark), self._words.content(request)
                return found or desk.create(name, content, urgency)
            case Follow(step=step):
                desk.follow(ticket.number, self._words.step(request, step))
            case Solve():
                desk.solve(ticket.number, self._words.solution(request))
            case Look():
                return desk.status(ticket.number)
            case _:
                assert_never(word)
        return 0


def _more(ticket: Ticket) -> Ticket:
    return msgspec.structs.replace(ticket, tries=ticket.tries + 1)
