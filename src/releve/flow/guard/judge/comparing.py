"""A version against the last sound one before it: what a change did to the content of a file."""

import msgspec

from releve.detect.ransom import content
from releve.detect.ransom.content import Change, Verdict
from releve.detect.ransom.glance import glance
from releve.flow.guard.book import Book
from releve.flow.guard.work import Job
from releve.flow.ports import Bytes
from releve.model.held import Generation, Judged, Name

JUDGED = {Verdict.CLEAN: Judged.CLEAN, Verdict.UNKNOWN: Judged.UNKNOWN, Verdict.BAD: Judged.BAD}


class Compare:
    """Looks at content; counts nothing.

    Args:
        book: tells who made a file.
    """

    def __init__(self, book: Book) -> None:
        self._book = book

    def before(
        self, job: Job, node: int, new: Generation | None, *, file: bytes = b""
    ) -> Generation | None:
        """The last sound version that is older than `new`.

        Args:
            file: named by who judges its content: what was held of a new file while it was being
                written is no version of it.
        """
        older = [g for g in job.volume.keeper.generations(node) if new is None or g.id < new.id]
        sound = [g for g in older if g.judged is Judged.CLEAN and g.settled]
        if sound:
            return sound[-1]
        rest = [g for g in older if g.judged in (Judged.CLEAN, Judged.UNKNOWN)]
        if file and self._book.maker(file) is not None:
            rest = [g for g in rest if g.settled]
        return rest[0] if rest else None

    def change(self, job: Job, before: Generation, after: Bytes, name: Name | None) -> Change:
        """From `before` to `after`; Raises OSError when either went away."""
        held = job.volume.keeper.read(before)
        text = name.name.decode(errors="replace") if name else ""
        try:
            change = glance(held, after) or content.compare(
                held, after, before_name=text, after_name=text
            )
        finally:
            held.close()
        if change.verdict is Verdict.CLEAN and before.judged is Judged.UNKNOWN:
            # The same as something that nobody can read is no more readable for it.
            if content.opaque(content.created(after, text)):
                return msgspec.structs.replace(change, verdict=Verdict.UNKNOWN)
        if change.verdict is Verdict.UNKNOWN and not change.points and self._is_new(job):
            # Nobody's original, and readable: somebody else's work for all we know.
            if not content.opaque(content.created(after, text)):
                return msgspec.structs.replace(change, verdict=Verdict.CLEAN)
        return change

    def _is_new(self, job: Job) -> bool:
        """Made by an unknown writer, and not an original of ours."""
        touch = None if job.process.known else self._book.find(job.process, job.file)
        return touch is not None and touch.created
