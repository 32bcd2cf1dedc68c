"""What a drill asks of restic."""

from collections.abc import Sequence

from releve.adapters.restic.engine import Restic
from releve.flow.backup import Tell
from releve.model.backup import Snapshot

_DEEPEST = 12
_FEW = 50  # folders looked into: the question is asked while the clock runs


class DrillEngine:
    """Engine of a drill."""

    def __init__(self, restic: Restic) -> None:
        self._restic = restic

    def snapshots(self) -> list[Snapshot]:
        return self._restic.snapshots()

    def restore(self, snapshot: str, path: str, into: str, tell: Tell) -> str:
        return self._restic.restore(snapshot, path, into, tell)

    def smallest(self, snapshot: str, folders: Sequence[str]) -> str:
        """The smallest file with content in the first folder that has one, upper levels first."""
        level = list(folders)
        for _ in range(_DEEPEST):
            below: list[str] = []
            for folder in level[:_FEW]:
                nodes = self._restic.nodes(snapshot, folder)[1:]
                files = [node for node in nodes if node.type == "file" and node.size]
                if files:
                    return min(files, key=lambda node: (node.size, node.path)).path
                below += [node.path for node in nodes if node.type == "dir"]
            level = below
        return ""
