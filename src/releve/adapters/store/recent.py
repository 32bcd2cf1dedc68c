"""What was noted shortly before a guard was killed: its judgement of it went with the guard."""

from collections.abc import Callable

import msgspec

from releve.adapters.store.stock import Stock
from releve.model.held import Generation, HoldResult, Judged, Name, Node

_MOMENT_NS = 5_000_000_000


class Recent:
    """Reads it from the index. Whether the last guard ended properly is known once, at the start."""

    def __init__(self, stock: Stock) -> None:
        self._lock, self._index, self._folders = stock.lock, stock.index, stock.folders
        self._ended_well = self._index.setting("ended well") is not None
        self._index.set_setting("ended well", None)

    def recent(self, folder: int, back_ns: int) -> list[HoldResult]:
        """What was noted in the last `back_ns` before a guard was killed, and is not known to be sound.

        Its judgement and its memory of who did it went with it. Empty after a proper end.
        """
        if self._ended_well:
            return []
        with self._lock:
            whole = int(self._index.setting("baseline " + self._folders[folder]) or 0)
            since = max(self._index.last_ns() - back_ns, whole)
            doubted = self._index.writers_in_doubt(since)
            found = [self._noted(n, since, doubted) for n in self._index.noted_since(folder, since)]
        return [result for result in found if result is not None]

    def _noted(self, number: int, since_ns: int, doubted: set[str]) -> HoldResult | None:
        node = self._index.node_by_id(number)
        if node is None:
            return None
        held = self._index.generations(number)
        is_new = node.born_ns >= since_ns and not _is_original(node, held)
        lost, new = self._renamed(number, held, since_ns, doubted)
        if node.gone_ns:  # or in the middle of a rename: then the walk meets it
            return HoldResult(
                key=node.key, node=number, facts=None, generation=None, refused="gone", is_new=is_new,
                lost_names=lost, new_names=new,
            )  # fmt: skip
        now = [g for g in held if g.facts.ctime_ns == node.facts.ctime_ns and g.writer]
        doubtful = now[-1] if now and now[-1].judged is not Judged.CLEAN else None
        if doubtful is not None:
            doubtful = msgspec.structs.replace(doubtful, judged=Judged.NOT_YET)
        if doubtful is None and not lost and not new and not is_new:
            return None
        return HoldResult(
            key=node.key, node=number, facts=node.facts, generation=doubtful, is_new=is_new,
            lost_names=lost, new_names=new,
        )  # fmt: skip

    def _renamed(
        self, node: int, held: list[Generation], since_ns: int, doubted: set[str]
    ) -> tuple[tuple[Name, ...], tuple[Name, ...]]:
        """Names that it lost and got since it was last known to be sound.

        Where all that its renamer did was sound, the new name is the right one; a name that only
        grew (`lettre.docx.locked`) is never taken for that, and a second name that went comes back.
        """
        lost, new = self._index.names_since(node, max(since_ns, _last_sound_save(held)))
        grown = any(n.name.startswith(old.name + b".") for n in new for old in lost)
        if not grown and len(new) >= len(lost):
            sound = _last_sound_save(held, lambda g: g.writer not in doubted)
            lost, new = self._index.names_since(node, max(since_ns, sound))
        return tuple(lost), tuple(new)

    def close_clean(self) -> None:
        """The guard ends as it was asked to: nothing of its last work is in doubt."""
        with self._lock:
            self._index.set_setting("ended well", b"1")


def _is_original(node: Node, held: list[Generation]) -> bool:
    """Of the baseline, or saved and found sound since; what lived for a moment is somebody's temporary file."""
    lived = not node.gone_ns or node.gone_ns - node.born_ns > _MOMENT_NS
    return bool(held) and (not held[0].writer or (lived and _last_sound_save(held) > 0))


def _last_sound_save(
    held: list[Generation], is_trusted: Callable[[Generation], bool] = lambda _held: False
) -> int:
    """When it was last known to be sound with new content: a file may be younger than what is in doubt."""
    found = 0
    for before, g in zip([None, *held], held, strict=False):
        moved = before is not None and (before.facts.size, before.facts.mtime_ns) == (
            g.facts.size, g.facts.mtime_ns,
        )  # fmt: skip
        # A rename alone is no proof of honesty.
        if g.judged is Judged.CLEAN and (not moved or is_trusted(g)):
            found = g.taken_ns
    return found
