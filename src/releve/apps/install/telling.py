"""What the technician sees while a host is set up: one line a step, its progress, what to do."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import IO

import click
import msgspec
from anyio import to_thread

from releve.apps.cli.called import to_type
from releve.flow.agent.ports import Outcome
from releve.report.text import Voice

_EVERY_S = 2.0
_MOST_OUTPUT = 1024 * 1024


class State(StrEnum):
    """How a step ended."""

    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"
    WAITS = "waits"  # for a step that failed
    NONE = "none"  # the plan asks for nothing here
    HAND = "hand"  # a person does it


_SAID = {
    State.DONE: "fait",
    State.KEPT: "déjà fait",
    State.FAILED: "ÉCHEC",
    State.WAITS: "attend",
    State.NONE: "rien à faire",
    State.HAND: "à faire à la main",
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step and its end. `hand`: what a person still does, with the reason.

    `detail`: what a program or a library said, in its own words.
    """

    name: str
    state: State
    said: str = ""
    remedy: str = ""
    status: int = 0  # of the error that ended it: see docs/errors.md
    hand: str = ""
    detail: str = ""


class Teller:
    """Steps on stdout, progress on stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def begins(self, number: int, of: int, title: str) -> None:
        if not self._as_json:
            click.echo(f"{number}/{of}  {title}…", err=True)

    def went_on(self, said: str) -> None:
        if not self._as_json:
            click.echo(f"     {said}", err=True)

    def ended(self, step: Step, title: str) -> None:
        if self._as_json:
            click.echo(msgspec.json.encode(step).decode())
            return
        more = f" : {step.said}" if step.said else ""
        click.echo(f"{title} : {_SAID[step.state]}{more}")
        if step.remedy:
            click.echo(f"     {to_type(step.remedy)}")
        if step.detail:
            click.echo(f"     Détail technique : {step.detail}")
        if step.hand:
            click.echo(f"     À la main : {step.hand}")
        sys.stdout.flush()


class ShownCommands:
    """Runs a command as the agent does, and shows its lines of progress while it works."""

    def __init__(self, shown: Callable[[str], None]) -> None:
        self.tell = shown
        self.said = ""  # the error of the last command, for people
        self.remedy = ""
        self.status = 0

    async def run(self, arguments: Sequence[str], *, seconds: float) -> Outcome:
        return await to_thread.run_sync(self.run_now, list(arguments), seconds)

    def run_now(self, arguments: Sequence[str], seconds: float) -> Outcome:
        """To its end; killed when its time is over."""
        began = time.monotonic()
        self.said, self.remedy, self.status = "", "", 0
        try:
            process = subprocess.Popen(
                list(arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            self.said = str(error)
            return Outcome(status=None, stderr=str(error).encode())
        out, err = bytearray(), bytearray()
        readers = [
            threading.Thread(target=_drain, args=(process.stdout, out, self._progress())),
            threading.Thread(target=_drain, args=(process.stderr, err, None)),
        ]
        for reader in readers:
            reader.start()
        timed_out = False
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
            process.kill()
            process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        for reader in readers:
            reader.join()
        self.status = process.returncode
        self._read_error(bytes(err))
        return Outcome(
            status=process.returncode,
            stdout=bytes(out),
            stderr=bytes(err),
            ms=(time.monotonic() - began) * 1000,
            timed_out=timed_out,
        )

    def _progress(self) -> Callable[[bytes], None]:
        last, shown = [time.monotonic()], [""]

        def show(line: bytes) -> None:
            if time.monotonic() - last[0] < _EVERY_S:
                return
            said = _progress_of(line)
            if said and said != shown[0]:
                last[0], shown[0] = time.monotonic(), said
                self.tell(said)

        return show

    def _read_error(self, err: bytes) -> None:
        for line in reversed(err.splitlines()):
            found = _facts(line)
            if found.get("type") == "error":
                self.said, self.remedy = str(found.get("message")), str(found.get("remedy"))
                return
        self.said = err.decode("utf-8", "replace").strip().rpartition("\n")[2]


def _drain(stream: IO[bytes] | None, into: bytearray, show: Callable[[bytes], None] | None) -> None:
    for line in stream or ():
        into += line
        # The end is kept: a command's result is its last line, after hours of progress.
        del into[:-_MOST_OUTPUT]
        if show is not None:
            show(line)


def _progress_of(line: bytes) -> str:
    """Of `releve backup run --json` and `releve drill run --json`; no name of a file is in it."""
    found = _facts(line)
    if found.get("event") == "reading":  # the backup is made, and is judged
        return f"{found.get('files')}/{found.get('of')} fichiers jugés"
    if found.get("event") != "progress":
        return ""
    percent = found.get("percent")
    part = f"{percent:.0f} %, " if isinstance(percent, int | float) else ""
    count = found.get("bytes")
    return f"{part}{Voice('fr').size(count)}" if isinstance(count, int) and count else ""


def _facts(line: bytes) -> dict[str, object]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
