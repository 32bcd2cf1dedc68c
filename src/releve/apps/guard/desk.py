"""What a person or the agent asks of a running guard over its control socket."""

from collections import deque
from collections.abc import Callable

import msgspec

from releve.adapters.control import Answer, Ask
from releve.flow.guard.guard import Guard
from releve.model.lines import Folder, Status, Stopped, in_utf8

_encode = msgspec.json.Encoder().encode


class ControlDesk:
    """Passes the guard's lines on, remembers the last stops, and answers requests.

    Args:
        out: where lines go.
    """

    def __init__(self, out: Callable[[object], None]) -> None:
        self._out = out
        self._stopped: deque[Stopped] = deque(maxlen=50)
        self.guard: Guard | None = None
        self.describe: Callable[[], tuple[Folder, ...]] = tuple

    def say(self, line: object) -> None:
        """Take one line of the guard. Never raises for a name in it: who stops an attack says it, too."""
        line = in_utf8(line)
        if isinstance(line, Stopped):
            self._stopped.append(line)
        self._out(line)

    def handle(self, ask: Ask) -> Answer:
        """Answer one request."""
        guard = self.guard
        if guard is None:
            return Answer(ok=False, why="The guard is starting.")
        match ask.verb:
            case "status":
                status = Status(
                    enforce=guard.responder.enforce,
                    folders=self.describe(),
                    frozen=tuple(guard.responder.frozen),
                    stopped=tuple(self._stopped),
                )
                return Answer(ok=True, body=msgspec.Raw(_encode(status)))
            case "thaw" | "kill":
                done = guard.responder.decide(ask.family, ask.verb)
            case "stop":
                done = guard.stop_family(ask.family)
            case "freeable":
                files, size = guard.originals.freeable()
                return Answer(ok=True, body=msgspec.Raw(_encode({"files": files, "bytes": size})))
            case "free":
                return Answer(ok=True, body=msgspec.Raw(_encode({"freed": guard.originals.free()})))
            case _:
                return Answer(ok=False, why=f"Unknown request {ask.verb}.")
        return Answer(ok=done, why="" if done else f"There is no such family: {ask.family}.")
