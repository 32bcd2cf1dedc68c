"""Who does the measured work: one program in a PID namespace of its own, the guard's whole scope.

So the guard acts as it does in a practice (`--enforce`), and what it may stop is the work alone,
never the bench that measures it.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from work import WORKS, tidy


class People:
    """Runs works by name; `scope` is what `--scope` is given."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            # The first process of a namespace is never touched: a shell is that, and does nothing.
            [
                *("unshare", "-pfm", "--kill-child", "--mount-proc"),
                *("sh", "-c", '"$0" "$1"; exit', sys.executable, __file__),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def scope(self) -> int:
        return self.process.pid

    def prepare(self, work: str, area: Path, files: int) -> None:
        """Make ready what it works on."""
        self._ask("prepare", work, area, files)

    def act(self, work: str, area: Path, files: int) -> tuple[float, float]:
        """Seconds that its user waited, and seconds that it took."""
        return self._ask("act", work, area, files)

    def tidy(self, area: Path) -> None:
        """Who made it takes it away: everything but the corpus."""
        self._ask("tidy", "", area, 0)

    def _ask(self, what: str, work: str, area: Path, files: int) -> tuple[float, float]:
        if self.process.stdin is None or self.process.stdout is None:
            raise AssertionError
        print(json.dumps([what, work, str(area), files]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("bench/guard.py: the work was ended; was it stopped by the guard?")
        waited, took = json.loads(answer)
        return waited, took

    def end(self) -> None:
        self.process.kill()  # --kill-child takes everything inside along
        self.process.wait(10)


def serve() -> None:
    """Inside: do what is asked, one line each."""
    works = {work.name: work for work in WORKS}
    for line in sys.stdin:
        what, name, folder, files = json.loads(line)
        area, waited, began = Path(folder), None, time.perf_counter()
        match what:
            case "prepare":
                works[name].prepare(area, files)
            case "act":
                waited = works[name].act(area, files)
            case _:
                tidy(area)
        took = time.perf_counter() - began
        print(json.dumps([took if waited is None else waited, took]), flush=True)


if __name__ == "__main__":
    serve()
