"""What a host's help page knows, in one file of the agent's own."""

from pathlib import Path

import msgspec
import structlog

from releve.adapters.durable import write
from releve.flow.agent.help import Pad

log = structlog.get_logger()


class HelpPad:
    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Pad:
        """Empty when there is none; one that cannot be read is set aside, for asking must go on."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Pad)
        except FileNotFoundError:
            return Pad()
        except msgspec.DecodeError:
            log.warning("help_pad_unreadable")
            self._path.replace(self._path.with_suffix(".unreadable"))
            return Pad()

    def save(self, pad: Pad) -> None:
        write(self._path, msgspec.json.encode(pad))
