"""Files that somebody else wrote, asked by a process that may be killed: SQLite databases, images in a drill.

A CHECK, an index on an expression and a computed column are programs of the file's maker, and whoever
counts its rows or checks it runs them: one LIKE can take years. Who may write into a share may put such
a file there, for root to back up, to judge or to try.

    python -m releve.adapters.foreign BYTES MODULE FUNCTION WORD ...
"""

import contextlib
import importlib
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

_MOST_VALUE = 64 << 20  # bytes of one value; a larger one is an error of that question
_MOST_MEMORY = 1 << 30
_MOST_SAID = 16 << 20
_FIRST_S, _LEAST_S = 10.0, 3.0  # for a small one; ours are asked in half a second
_BYTES_A_SECOND = 4 << 20  # a slow disk is checked ten times as fast
_LATE, _REFUSED = 3, 4
_RULES = (
    "trusted_schema = OFF",
    "query_only = ON",
    "cell_size_check = ON",
    "ignore_check_constraints = ON",
    "mmap_size = 0",
)
_T = TypeVar("_T")


class ForeignError(sqlite3.DatabaseError):
    """The file could not be asked; `is_late`: not within its time or its memory."""

    def __init__(self, why: str, *, is_late: bool = False) -> None:
        super().__init__(why)
        self.is_late = is_late


def seconds_for(size: int, late: int = 0) -> float:
    """How long a database of so many bytes may be asked.

    `late`: how many came to no end before it; each makes the next one's time shorter, down to
    what an honest one needs on a busy machine.
    """
    return max(_FIRST_S / (1 + late), _LEAST_S) + size / _BYTES_A_SECOND


def ask(
    module: str,
    function: str,
    *words: str,
    kind: type[_T],
    seconds: float,
    most_memory: int = _MOST_MEMORY,
) -> _T:
    """What the function of that module answers to the words, in a process of its own.

    Where the machine has less memory than that, this process is the first to go.

    Raises: ForeignError.
    """
    command = [sys.executable, "-P", "-m", __name__, str(most_memory), module, function, *words]
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ForeignError("checking it takes too long", is_late=True) from error
    if ran.returncode == _REFUSED:
        raise ForeignError(ran.stdout.decode(errors="replace"))
    if ran.returncode != 0:
        raise ForeignError("checking it takes too much", is_late=True)
    return msgspec.json.decode(ran.stdout, type=kind)


@contextlib.contextmanager
def reading(uri: str) -> Iterator[sqlite3.Connection]:
    """The database, to be asked and not changed, within a process that `ask` made.

    Raises: sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE)
        for rule in _RULES:
            database.execute(f"PRAGMA {rule}")
        yield database


def _main(most_memory: str, module: str, function: str, *words: str) -> int:
    called = getattr(importlib.import_module(module), function)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_AS, (int(most_memory), int(most_memory)))
    try:
        said = msgspec.json.encode(called(*words))
    except sqlite3.Error as error:
        sys.stdout.write(str(error)[:500] or type(error).__name__)
        return _REFUSED
    except MemoryError:
        return _LATE
    if len(said) > _MOST_SAID:
        return _LATE
    sys.stdout.buffer.write(said)
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
