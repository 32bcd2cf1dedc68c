"""Between a score that convicts and what follows from it: did a person approve this work?"""

from collections.abc import Callable, Sequence

from releve.flow.guard.ground import Ground
from releve.flow.guard.respond.responding import Responder
from releve.model.held import Judged
from releve.model.lines import Alert
from releve.model.process import Process

_AUTHOR_NS = 30_000_000_000  # below the minute after which a parent answers for an ended program

Approved = Callable[[Process, Sequence[str], Sequence[Process]], str]


class Approvals:
    """Convicts whoever has no approval.

    Args:
        approved: says whether a person approved what a family does ("" if not): head, paths, and
            who of it left unreadable content.
    """

    def __init__(self, ground: Ground, responder: Responder, approved: Approved) -> None:
        self._book, self._scores, self._clock = ground.book, ground.scores, ground.clock
        self._say, self._responder, self._approved = ground.say, responder, approved

    def convict(self, head: Process, kind: str) -> None:
        """Stop a family, unless what it does was approved."""
        if head in self._responder.convicted:
            return  # its further marks are many: nothing more is to be decided
        paths = [mark.path for mark in self._scores.marks(head.id)]
        approval = self._approved(head, paths, self._authors(head))
        if approval:
            self._scores.settle([p.id for p in head.chain()] or [head.id])
            self._say(
                Alert(
                    kind="approved",
                    family=head.id,
                    why=f"Chiffrement en masse par {head.program}, approuvé : {approval}.",
                    why_en=f"Bulk encryption by {head.program}, approved: {approval}.",
                )
            )
            return
        self._responder.convict(head, kind)

    def _authors(self, head: Process) -> list[Process]:
        """Who of the family wrote content that nobody can read, not long ago.

        The shell that deletes the originals afterwards is none of them; a program that was started
        beside the approved one is. What ended long ago counts for its parent, so it is left out.
        """
        since = self._clock.now_ns() - _AUTHOR_NS
        return [
            process
            for process in head.tree()
            if any(
                t.judged in (Judged.BAD, Judged.UNKNOWN) and t.wrote and t.last_ns >= since
                for t in self._book.of((process,)).values()
            )
        ]
