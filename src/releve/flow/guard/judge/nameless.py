"""Destruction through the file server by a connection that was gone before its client had a name."""

from collections.abc import Callable

from releve.detect.ransom.limits import Limits
from releve.flow.ports import Clock, Contain
from releve.model.process import Process


class Nameless:
    """Keeps who destroyed something for a client without a name, until the name is known.

    A client that takes a new connection for each file is many processes of milliseconds each. The
    server's log names most of them afterwards. Who stays without a name while a client of the same
    server attacks is undone with it; he is gone, so there is nobody to keep out.
    """

    def __init__(
        self,
        contain: Contain,
        clock: Clock,
        limits: Limits,
        convict: Callable[[Process, str], None],
    ) -> None:
        self._contain, self._clock, self._limits = contain, clock, limits
        self._convict = convict
        self._seen: dict[Process, float] = {}

    def note(self, process: Process) -> None:
        """It destroyed something."""
        if self._contain.is_nameless(process):
            self._seen.setdefault(process, self._clock.steady())

    def look(self) -> None:
        """Convict whom the log has named meanwhile, or whom it did not name in its time."""
        if not self._seen or not self._contain.has_blocked():
            return
        now = self._clock.steady()
        for process, since in list(self._seen.items()):
            is_late = now - since > self._limits.nameless_s
            if self._contain.is_blocked(process) or (
                is_late and self._contain.is_nameless(process)
            ):
                del self._seen[process]
                self._convict(process, "client")
            elif is_late:
                del self._seen[process]  # another client's: it pays for itself
