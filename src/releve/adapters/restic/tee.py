"""Between a database program and restic: passes the dump on, and says whether it was whole.

restic runs it (`--stdin-from-command`) as a program of its own; it imports nothing of ours. Its
report has size and SHA-256 of what was passed, the program's status and its last words. A program
that ends badly, by a signal, or says nothing at all ends this one badly, and then restic makes no
snapshot.

    python tee.py REPORT PROGRAM [ARGUMENT...]
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile

CHUNK = 1 << 20
LAST_WORDS = 2048


def main() -> int:
    report, *command = sys.argv[1:]
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # restic gone: told by the failing write
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the `with` below ends the program
    digest, size = hashlib.sha256(), 0
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words
        ) as program,
    ):
        try:
            out = program.stdout.fileno() if program.stdout else -1
            while chunk := os.read(out, CHUNK):
                digest.update(chunk)
                size += len(chunk)
                pass_on(chunk)
        except BaseException:
            program.kill()
            raise
        status = program.wait()
        words.seek(max(0, words.seek(0, os.SEEK_END) - LAST_WORDS))
        said = words.read().decode(errors="replace").strip()
    facts = {"status": status, "size": size, "sha256": digest.hexdigest(), "said": said}
    descriptor = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(facts, file)
    return 0 if status == 0 and size else 1


def pass_on(chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    sys.exit(main())
