"""What tickets need of the world: a GLPI, and rows."""

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from releve.model.ticket import Glpi, Ticket


class GlpiFailed(Exception):  # noqa: N818  # a control value of this port
    """It was not done, or nobody knows.

    `why`: "unreachable", "tls", "login", "page", "ill", "refused", "gone".
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Helpdesk(Protocol):
    """One session. All raise GlpiFailed."""

    def create(self, name: str, content: str, urgency: int) -> int: ...
    def find(self, mark: str) -> int:
        """The ticket whose name holds it; 0: none."""
        ...

    def follow(self, ticket: int, content: str) -> None: ...
    def solve(self, ticket: int, content: str) -> None: ...
    def status(self, ticket: int) -> int: ...
    def close(self) -> None: ...


class TicketUnit(Protocol):
    """A structure's GLPI and its tickets."""

    def glpi(self) -> Glpi | None: ...
    def put_glpi(self, glpi: Glpi | None) -> None:
        """Sealed; None takes it away. Its tickets' numbers stay."""
        ...

    def ticket(self, request: str) -> Ticket | None: ...
    def tickets(self) -> list[Ticket]:
        """All."""
        ...

    def due_tickets(self, now: dt.datetime) -> list[Ticket]: ...
    def without_ticket(self, requests: Sequence[str]) -> list[str]:
        """Those of these calls that have none yet."""
        ...

    def claim_ticket(self, ticket: Ticket, until: dt.datetime) -> bool:
        """True for one server: it works on it, with one try more, until then."""
        ...

    def put_ticket(self, ticket: Ticket) -> None: ...
