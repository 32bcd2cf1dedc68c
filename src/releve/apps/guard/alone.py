"""The guard's own process: `python -m releve.apps.guard.alone WORDS`, with JSON of `Asked` in its environment.

`releve guard run` reads the command line and becomes this process, so that nothing stays in memory
that only a command line needs. The words stay the command's own: by them an agent knows how a
running guard was started, and a person what runs.
"""

import contextlib
import os
import sys
from typing import NoReturn

_ASKED = "RELEVE_GUARD_ASKED"
# What the guard can do without: OpenSSL (3.5 MB; Python's own hashes take its place, it hashes little)
# and the newest typing (1.7 MB, loaded by msgspec wherever it is installed).
_WITHOUT = ("_hashlib", "typing_extensions")


def become(asked: str) -> NoReturn:
    """Replace this process by the guard: same pid, same streams.

    Whoever may not start the interpreter again (he runs as another since), or has more words than
    one variable holds (128 KiB), guards in this process. An interpreter that heeds nothing of the
    environment (-I) goes on heeding nothing of it.
    """
    heeds = "-I" if sys.flags.isolated else "-P"
    words = (sys.executable, heeds, "-m", __name__, *sys.argv[1:])
    with contextlib.suppress(OSError):
        os.execve(  # noqa: S606 (our own interpreter)
            sys.executable, words, {**os.environ, _ASKED: asked}
        )
    _end(asked)


def main() -> NoReturn:
    """Guard until SIGTERM, then exit; an error is told as the command tells it."""
    sys.modules.update(dict.fromkeys(_WITHOUT))  # type: ignore[arg-type] # None: not to be imported
    _end(os.environ.pop(_ASKED))


def _end(asked: str) -> NoReturn:
    from releve.apps.guard.duty import serve

    sys.exit(serve(asked))


if __name__ == "__main__":
    main()
