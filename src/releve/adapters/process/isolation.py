"""This host's isolation as `releve isolate --status` and its record tell it."""

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from releve.adapters.process.asking import answer
from releve.flow.agent.ports import Commands
from releve.model.host import Isolation

_ASK_SECONDS = 20.0


class _Record(msgspec.Struct, frozen=True):
    since: dt.datetime
    until: dt.datetime
    approved_by: str = ""


class _Status(msgspec.Struct, frozen=True):
    isolated: bool
    seconds_left: int
    record: _Record | None = None


class CommandIsolation:
    """IsolationSight.

    Args:
        commands: runs the command.
        command: `releve isolate --status --json`.
        record: the file that is there while the host is cut.
    """

    def __init__(self, commands: Commands, command: Sequence[str], record: Path) -> None:
        self._commands, self._command, self._record = commands, tuple(command), record

    def mark(self) -> int:
        try:
            return self._record.stat().st_mtime_ns
        except OSError:  # none, or not for this user
            return 0

    async def ask(self) -> Isolation | None:
        status = await answer(self._commands, self._command, _Status, seconds=_ASK_SECONDS)
        if not status.isolated:
            return None
        if status.record is not None:
            record = status.record
            return Isolation(since=record.since, until=record.until, by=record.approved_by)
        return None  # cut by somebody else's rules: not ours to tell who and until when


class IsolationFile:
    """ToldIsolation in a file of the agent's home."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Isolation | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Isolation)
        except (OSError, msgspec.DecodeError):
            return None

    def save(self, isolation: Isolation | None) -> None:
        if isolation is None:
            self._path.unlink(missing_ok=True)
        else:
            new = self._path.with_name(f"{self._path.name}.new")
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(msgspec.json.encode(isolation))
            new.replace(self._path)
