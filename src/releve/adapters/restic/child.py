"""Runs restic as a child: JSON lines in, a deadline on silence, nothing left behind.

The password and the credential travel by file and environment, never on the command line, which
every user of the machine can read.
"""

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import IO, BinaryIO

import msgspec

from releve.flow.backup import EngineStalledError

_LAST_WORDS = 4096  # bytes of stderr that are kept for an error
DOUBT_S = 5.0
_POLITE_S = 5.0  # after SIGINT, to let restic remove its lock


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How the child ended: status, and what it said on stderr, line by line."""

    status: int
    stderr: tuple[str, ...]


def dies_with_us(command: Sequence[str]) -> list[str]:
    """The command, told to end when we are killed: no restic or server without its master."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else list(command)


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    line: Callable[[bytes], None],
    *,
    alive: Callable[[], object],
    stall_s: float,
    doubt: Callable[[tuple[str, ...]], object] = lambda _said: None,
) -> Ended:
    """Run to the end, handing over each line of stdout.

    `alive` is asked now and then; when its answer stays the same for `stall_s`, the child is ended.
    `doubt` is called after each DOUBT_S without a sign of life, with what was said on stderr until
    then; what it raises ends the child, too.

    Raises: EngineStalledError, and what `doubt` raises.
    """
    with tempfile.TemporaryFile() as stderr, _child(command, environment, stderr) as child:
        for record in _lines(child, alive, stall_s, lambda: doubt(_last_words(stderr))):
            line(record)
        status = child.wait()
        return Ended(status=status, stderr=_last_words(stderr))


def told(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    look: Callable[[], None],
    stall_s: float,
) -> Generator[bytes, None, Ended]:
    """Run to the end, yielding what comes on stdout in blocks of whole lines; how it ended, returned.

    Who closes it before ends the child. `look` is called at least each second; what it raises does, too.

    Raises: EngineStalledError, and what `look` raises.
    """
    with tempfile.TemporaryFile() as stderr, _child(command, environment, stderr) as child:
        yield from _whole(_chunks(child, look, stall_s, lambda: None))
        return Ended(status=child.wait(), stderr=_last_words(stderr))


def pour(
    command: Sequence[str], environment: Mapping[str, str], into: BinaryIO, *, stall_s: float
) -> Ended:
    """Run to the end, writing stdout into a file as it comes.

    Raises: EngineStalledError.
    """
    with tempfile.TemporaryFile() as stderr, _child(command, environment, stderr) as child:
        into.writelines(_chunks(child, lambda: None, stall_s, lambda: None))
        return Ended(status=child.wait(), stderr=_last_words(stderr))


class _Child(subprocess.Popen[bytes]):
    """A child in its own process group that is ended when the block is left."""

    def __exit__(self, *args: object) -> None:
        if self.poll() is None:
            self._end()
        super().__exit__(None, None, None)

    def _end(self) -> None:
        for number, wait_s in ((signal.SIGINT, _POLITE_S), (signal.SIGKILL, _POLITE_S)):
            try:
                os.killpg(self.pid, number)  # our own group: made by process_group=0 below
                self.wait(wait_s)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
            return


def _child(command: Sequence[str], environment: Mapping[str, str], stderr: IO[bytes]) -> _Child:
    return _Child(
        dies_with_us(command),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        process_group=0,
    )


def _lines(
    child: _Child, alive: Callable[[], object], stall_s: float, doubt: Callable[[], object]
) -> Iterator[bytes]:
    for block in _whole(_chunks(child, alive, stall_s, doubt)):
        yield from filter(None, block.split(b"\n"))


def _whole(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut at ends of lines."""
    rest = b""
    for chunk in chunks:
        lines, end, tail = chunk.rpartition(b"\n")
        if end:
            yield rest + lines + end
            rest = tail
        else:
            rest += tail
    if rest:
        yield rest


def _chunks(
    child: _Child, alive: Callable[[], object], stall_s: float, doubt: Callable[[], object]
) -> Iterator[bytes]:
    """What comes on stdout until it closes.

    Raises: EngineStalledError, and what `doubt` raises.
    """
    stdout = child.stdout
    if stdout is None:
        raise AssertionError("stdout is always a pipe here")
    seen, since = alive(), monotonic()
    doubted = since
    with selectors.DefaultSelector() as ready:
        ready.register(stdout, selectors.EVENT_READ)
        while True:
            if ready.select(min(stall_s, 1.0)):
                chunk = os.read(stdout.fileno(), 1 << 16)
                if not chunk:
                    return
                yield chunk
                if alive() is None:  # nothing to compare: every byte is a sign of life
                    since = monotonic()
            if (now := alive()) != seen:
                seen, since = now, monotonic()
            elif monotonic() - since > stall_s:
                raise EngineStalledError(stall_s)
            elif monotonic() - max(since, doubted) > DOUBT_S:
                doubt()
                doubted = monotonic()


def _last_words(stderr: IO[bytes]) -> tuple[str, ...]:
    """It may go on: where it writes next is not moved."""
    size, most = os.fstat(stderr.fileno()).st_size, _LAST_WORDS * 16
    said = os.pread(stderr.fileno(), most, max(0, size - most))
    return tuple(said.decode(errors="replace").splitlines())
