"""A process for files that nobody trusts: no network, no rights, little memory, a few seconds, only stdin and stdout.

It runs as the user "nobody" in a tree that holds programs and fonts and nothing of anybody's, to be
read only: no socket of another program, no process but its own, no place to write (`shut.py`).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from releve.adapters.linux import shut

_SECONDS = "12"
_NOBODY = "65534"
_APART = ("--net", "--ipc", "--mount", "--uts", "--pid", "--fork", "--kill-child")
_WHO = ("--reuid", _NOBODY, "--regid", _NOBODY, "--clear-groups", "--no-new-privs")
_NO_RIGHTS = ("--bounding-set=-all", "--inh-caps=-all")
_LIMITS = ("--as=1073741824", "--cpu=10", "--fsize=0", "--nofile=64", "--nproc=64", "--core=0")


def confined(
    command: Sequence[str], file: str, *, most_bytes: int, drops_itself: bool = False
) -> bytes | None:
    """What it answers to the file on its stdin; None when it fails, says too much, or cannot be confined.

    Args:
        drops_itself: it gives its rights away before it reads (our own interpreter may lie where
            nobody else can start it); else that is done before it starts.
    """
    if os.geteuid() != 0 or not all(
        map(shutil.which, ("timeout", "unshare", "setpriv", "prlimit"))
    ):
        return None
    words = ["timeout", "--signal=KILL", _SECONDS, "unshare", *_APART, "--"]
    # Our interpreter and our programs may lie anywhere, in a folder that only root passes through.
    ours = (sys.prefix, sys.base_prefix, str(Path(__file__).parent))
    words += [sys.executable, "-I", str(shut.__file__), *ours, "--", "prlimit", *_LIMITS, "--"]
    words += [] if drops_itself else ["setpriv", *_WHO, *_NO_RIGHTS, "--"]
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as given:
        running = subprocess.Popen(
            [*words, *command],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        )
    with running:
        said = running.stdout.read(most_bytes + 1) if running.stdout else b""
        if len(said) > most_bytes:
            running.kill()
            return None
    return said if running.returncode == 0 and said else None
