"""Small records of the vault as files: credentials, approvers, openings. One JSON file each."""

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from releve.adapters.durable import write

R = TypeVar("R", bound=msgspec.Struct)


class Records(Generic[R]):
    """Records of one type by id; what another process wrote is seen at once."""

    def __init__(self, folder: Path, kind: type[R]) -> None:
        self._folder = folder
        self._decode = msgspec.json.Decoder(kind).decode
        self._kept: dict[str, tuple[tuple[int, int], R]] = {}

    def get(self, name: str) -> R | None:
        """The record, None if there is none. `name` was checked to be a word."""
        path = self._folder / f"{name}.json"
        try:
            facts = path.stat()
            state = (facts.st_mtime_ns, facts.st_ino)
            kept = self._kept.get(name)
            if kept is None or kept[0] != state:
                kept = self._kept[name] = (state, self._decode(path.read_bytes()))
        except FileNotFoundError:
            self._kept.pop(name, None)
            return None
        return kept[1]

    def put(self, name: str, record: R) -> None:
        write(self._folder / f"{name}.json", msgspec.json.encode(record))

    def all(self) -> list[R]:
        names = sorted(path.stem for path in self._folder.glob("[!.]*.json"))
        return [record for name in names if (record := self.get(name)) is not None]
