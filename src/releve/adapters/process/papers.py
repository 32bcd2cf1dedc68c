"""What `releve key status` tells of this host's papers: when one was made, when one was last tried."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec

from releve.adapters.process.asking import answer
from releve.flow.agent.ports import Commands
from releve.model.host import PaperState
from releve.model.keys import KeyKind

_ASK_SECONDS = 60.0


class _Key(msgspec.Struct, frozen=True):
    kind: KeyKind
    made_at: dt.datetime


class _Proof(msgspec.Struct, frozen=True):
    at: dt.datetime


class _Standing(msgspec.Struct, frozen=True):
    keys: tuple[_Key, ...] = ()
    last_proof: _Proof | None = None


class CommandPapers:
    """PaperSight.

    Args:
        commands: runs the command.
        command: `releve key status --json`, with the backup's state folder.
        folder: that folder.
    """

    def __init__(self, commands: Commands, command: Sequence[str], folder: Path) -> None:
        self._commands, self._command, self._folder = commands, tuple(command), folder

    def mark(self) -> int:
        """The book changes with a sheet and a try, the configuration with a new generation."""
        try:
            set_up = (self._folder / "config.json").stat().st_mtime_ns
        except OSError:
            return 0
        try:
            return hash((set_up, (self._folder / "keys.json").stat().st_mtime_ns))
        except OSError:  # no sheet was ever made
            return set_up

    async def ask(self) -> PaperState:
        found = await answer(self._commands, self._command, _Standing, seconds=_ASK_SECONDS)
        made = [key.made_at for key in found.keys if key.kind is KeyKind.PAPER]
        tried = found.last_proof.at if found.last_proof else None
        return PaperState(made_at=max(made, default=None), tried_at=tried)
