"""The threads of a guard: each stage on its own, until the end; a bug in one stops no other."""

import threading
from collections.abc import Callable

from releve.model.lines import Alert

_JOIN_S = 3


class Stages:
    """Starts the stages and ends them.

    Args:
        say: where alerts go.
        report_bug: takes the traceback of what should not happen.
    """

    def __init__(
        self, say: Callable[[object], None], report_bug: Callable[[Exception], None]
    ) -> None:
        self._say, self._report_bug = say, report_bug
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, loop: Callable[[], None]) -> None:
        """Run a loop of its own; it asks `is_over`."""
        thread = threading.Thread(target=loop, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def repeat(self, name: str, work: Callable[[], object]) -> None:
        """Do the work of a stage again and again; the work waits by itself."""
        self.start(name, lambda: self._repeat(work, self._closing.is_set))

    def every(self, seconds: float, name: str, work: Callable[[], object]) -> None:
        """The same, with a pause before each time."""
        self.start(name, lambda: self._repeat(work, lambda: self._closing.wait(seconds)))

    def _repeat(self, work: Callable[[], object], is_over: Callable[[], bool]) -> None:
        while not is_over():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the one guard per driver loop
                self.failed(error)

    def failed(self, error: Exception) -> None:
        """A bug is said and does not stop the protection."""
        stage = threading.current_thread().name
        self._report_bug(error)
        self._say(
            Alert(
                kind="internal_error",
                why=f"Erreur interne à l'étape « {stage} » ({type(error).__name__}) : la garde continue, "
                "signalez-la à votre infogérant.",
                why_en=f"Internal error in stage {stage} ({type(error).__name__}): the guard goes on; tell "
                "your operator.",
            )
        )

    @property
    def were_started(self) -> bool:
        return bool(self._threads)

    def is_over(self) -> bool:
        return self._closing.is_set()

    def end(self) -> None:
        """From now on nobody begins anything."""
        self._closing.set()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(_JOIN_S)
