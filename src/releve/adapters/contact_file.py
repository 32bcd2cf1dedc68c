"""When the server last answered, in one small file of the agent's home."""

import os
from pathlib import Path

import msgspec
import structlog

from releve.flow.agent.contact import Contact

log = structlog.get_logger()


class HomeContactFile:
    """ContactFile. Replaced whole; no disk is waited for, the next heartbeat renews a lost one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Contact:
        """Empty when there is none, or none that can be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Contact)
        except (OSError, msgspec.DecodeError):
            return Contact()

    def save(self, contact: Contact) -> None:
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(msgspec.json.encode(contact))
            new.replace(self._path)
        except OSError as error:
            log.warning("contact_not_noted", why=str(error))  # a full disk: sending goes on
