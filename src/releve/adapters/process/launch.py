"""Becomes the guard: takes the guard's lock, writes who it is, and executes it in its own place.

Run by the agent as `python -m releve.adapters.process.launch LOCK STATE OUT ERR -- COMMAND...`.
The lock is held by the guard itself for as long as it lives, so that an agent that was killed
between starting a guard and noting it can never start a second one.
"""

import fcntl
import json
import os
import sys

BUSY = 75


def main() -> None:
    lock, state, out, err = sys.argv[1:5]
    command = sys.argv[6:]
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(BUSY)
    os.set_inheritable(descriptor, True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.dup2(os.open(out, flags, 0o600), 1)
    os.dup2(os.open(err, flags, 0o600), 2)
    with open(f"{state}.new", "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump({"pid": os.getpid(), "out": out}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{state}.new", state)  # noqa: PTH105
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
