"""What a command of ours answers, read as JSON."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from releve.flow.agent.ports import Commands

T = TypeVar("T")


async def answer(
    commands: Commands, command: Sequence[str], type_: type[T], *, seconds: float
) -> T:
    """Raises: OSError: it failed, or its answer cannot be read."""
    outcome = await commands.run(command, seconds=seconds)
    if outcome.status != 0:
        raise OSError(f"status {outcome.status}")
    try:
        return msgspec.json.decode(outcome.stdout, type=type_)
    except msgspec.DecodeError as error:
        raise OSError(str(error)) from error
