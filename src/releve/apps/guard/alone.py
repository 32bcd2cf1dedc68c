"""The guard's own process: `python -m releve.apps.guard.alone ASKED`, ASKED being JSON of `Asked`.

`releve guard run` reads the command line and becomes this process, so that nothing stays in memory
that only a command line needs.
"""

import os
import sys
from typing import NoReturn

# What the guard can do without: OpenSSL (3.5 MB; Python's own hashes take its place, it hashes little)
# and the newest typing (1.7 MB, loaded by msgspec wherever it is installed).
_WITHOUT = ("_hashlib", "typing_extensions")


def become(asked: bytes) -> NoReturn:
    """Replace this process by the guard: same pid, same streams."""
    words = (sys.executable, "-P", "-m", __name__, asked)
    os.execv(sys.executable, words)  # noqa: S606 (our own interpreter)


def main() -> NoReturn:
    """Guard until SIGTERM, then exit; an error is told as the command tells it."""
    sys.modules.update(dict.fromkeys(_WITHOUT))  # type: ignore[arg-type] # None: not to be imported
    from releve.apps.guard.duty import serve

    sys.exit(serve(sys.argv[1]))


if __name__ == "__main__":
    main()
