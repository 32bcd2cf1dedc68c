"""The manifest of the sources, in a folder that is part of the snapshot."""

from collections.abc import Sequence
from pathlib import Path, PurePath

import msgspec

from releve.model.sources import SourcesManifest

FOLDER = "releve-sources"  # this name finds it in a snapshot, also on another machine
MANIFEST = "sources.json"


def folder_of(folders: Sequence[str]) -> str:
    """The manifest's folder among those of a snapshot; "" when it has none."""
    return next((folder for folder in folders if PurePath(folder).name == FOLDER), "")


class SourceNotes:
    """Notes."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / FOLDER
        self.folder = str(self._folder)

    def write(self, manifest: SourcesManifest) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._folder / f".{MANIFEST}.new"
        new.touch(mode=0o600)
        new.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        new.replace(self._folder / MANIFEST)
