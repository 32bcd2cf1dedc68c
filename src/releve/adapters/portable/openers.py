"""Files of ours that somebody has mapped or open for writing, as the evidence samples show them."""

from collections.abc import Iterator

from releve.adapters.portable.evidence import Evidence


class Mapped:
    """Writing that no notification tells: shared mappings, files that stay open."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def writers(self) -> Iterator[tuple[int, str]]:
        """(pid, path) of what was open for writing at a look taken now."""
        yield from self._evidence.writers_now()
