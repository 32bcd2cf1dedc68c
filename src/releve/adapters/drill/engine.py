"""What a drill asks of restic: of this host's own repository, or of one that is lent."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from releve.adapters.restic.engine import Restic, is_dump
from releve.adapters.restic.lent import LentRepository
from releve.adapters.restic.said import Node
from releve.flow.backup import Tell, VerificationFailedError
from releve.model.backup import Progress, Snapshot

_DEEPEST = 12
_FEW = 50  # folders looked into: the question is asked while the clock runs


class DrillEngine:
    """Engine of a drill, on the host's own repository."""

    def __init__(self, restic: Restic) -> None:
        self._restic = restic

    def snapshots(self) -> list[Snapshot]:
        return self._restic.snapshots()

    def restore(self, snapshot: str, path: str, into: str, tell: Tell) -> str:
        return self._restic.restore(snapshot, path, into, tell)

    def smallest(self, snapshot: str, folders: Sequence[str]) -> str:
        return smallest(lambda folder: self._restic.nodes(snapshot, folder)[1:], folders)


class LentEngine:
    """Engine of a drill in a clean room: an as-of view, a lent key, never a lock."""

    def __init__(self, repository: LentRepository) -> None:
        self._repository = repository

    def snapshots(self) -> list[Snapshot]:
        return [one for one in self._repository.snapshots() if not is_dump(one.folders)]

    def restore(self, snapshot: str, path: str, into: str, tell: Tell) -> str:
        def hear(files: int, size: int) -> None:
            tell(Progress(phase="restore", files=files, bytes=size))

        self._repository.restore(snapshot, path, into, hear)
        brought = Path(into) / PurePath(path).name
        if not os.path.lexists(brought):
            raise VerificationFailedError(path, f"it is not in snapshot {snapshot[:8]}")
        return str(brought)

    def smallest(self, snapshot: str, folders: Sequence[str]) -> str:
        return smallest(lambda folder: self._repository.entries(snapshot, folder), folders)


def smallest(below: Callable[[str], Sequence[Node]], folders: Sequence[str]) -> str:
    """The smallest file with content in the first folder that has one, upper levels first."""
    level = list(folders)
    for _ in range(_DEEPEST):
        deeper: list[str] = []
        for folder in level[:_FEW]:
            nodes = below(folder)
            files = [node for node in nodes if node.type == "file" and node.size]
            if files:
                return min(files, key=lambda node: (node.size, node.path)).path
            deeper += [node.path for node in nodes if node.type == "dir"]
        level = deeper
    return ""
