"""Files that were damaged when they were looked at, and still open: half saved, or destroyed?"""

import contextlib
from collections.abc import Callable

import msgspec

from releve.detect.ransom.content import Change, Verdict
from releve.flow.guard.judge.comparing import Compare
from releve.flow.guard.judge.counting import Count
from releve.flow.guard.work import Job
from releve.model.held import Name
from releve.model.process import Process


class _Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and the ctime at which it was."""

    job: Job
    change: Change
    changed_ns: int
    name: Name | None


class Doubts:
    """Waits with each for its close, or for more of them.

    Args:
        most: so many at once are no save any more.
        look_again: has a job done once more a moment later.
    """

    def __init__(
        self, compare: Compare, count: Count, most: int, look_again: Callable[[Job], None]
    ) -> None:
        self._compare, self._count, self._most = compare, count, most
        self._look_again = look_again
        self._doubts: dict[Process, dict[bytes, _Doubt]] = {}

    def is_doubtful(self, job: Job, change: Change, changed: int, name: Name | None) -> bool:
        """A file in the middle of being saved is damaged too: wait for its close, or for more of them."""
        if change.verdict is not Verdict.BAD:
            return False
        doubts = self._doubts.setdefault(job.process, {})
        old = doubts.get(job.file)
        if old is not None and old.changed_ns == changed:
            del doubts[job.file]
            return False  # nothing moved since: it was left like this
        doubts[job.file] = _Doubt(job=job, change=change, changed_ns=changed, name=name)
        if len(doubts) >= self._most:
            for doubt in self._doubts.pop(job.process).values():
                with contextlib.suppress(OSError):  # gone meanwhile: what took it is judged instead
                    self._take(doubt)
            return True
        self._look_again(job)
        return True

    def settle(self, job: Job) -> None:
        """The file was closed: what it is now counts, not what it was on the way."""
        doubts = self._doubts.get(job.process)
        if doubts is not None:
            doubts.pop(job.file, None)
            if not doubts:
                del self._doubts[job.process]

    def _take(self, doubt: _Doubt) -> None:
        """One of several damaged at once; one that moved since may be whole by now: look again."""
        job, change, keeper = doubt.job, doubt.change, doubt.job.volume.keeper
        if keeper.changed_ns(job.key) != doubt.changed_ns:
            node = keeper.node(job.key)
            before = (
                self._compare.before(job, node.id, None, file=job.file)
                if node is not None
                else None
            )
            if before is None:
                return
            after = keeper.read_now(job.key)
            try:
                change = self._compare.change(job, before, after, doubt.name)
            finally:
                after.close()
        self._count.take(job, change, job.file, doubt.name)
