"""A plan whose snapshots lie in more than one generation: which lies where, and with whose key it is read.

Each generation is a repository with keys of its own. The folder is opened from one of them; what comes
from the others is laid before people come in, so nobody works over two repositories at once.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from releve.apps.recover.intent import Source, Words, asking, envelope_of, reader_of, source_of
from releve.apps.recover.state import Other
from releve.model.errors import UsageError
from releve.model.keys import Envelope
from releve.model.vault import WhereWish


class Generations:
    """The generations of one host that envelopes were given for."""

    def __init__(self, words: Words, secrets: Path) -> None:
        """Raises: EnvelopeError, UsageError."""
        self._words, self._secrets = words, secrets
        self._files = {envelope_of(file).generation: file for file in words.envelope}
        every = [envelope_of(file) for file in words.envelope]
        if len({(one.structure, one.host) for one in every}) > 1:
            raise UsageError(
                "--envelope: envelopes of several generations are of one host",
                "--envelope : les enveloppes de plusieurs générations sont d'une même machine",
            )
        self._any: Envelope = every[0]
        self._where: Mapping[str, str] = {}

    def learn(self, snapshots: tuple[str, ...]) -> None:
        """Ask the gate where they lie. Raises: UsageError, and those of the vault's desk."""
        wish = WhereWish(host=self._any.host, snapshots=snapshots)
        user, file = reader_of(self._words, self._secrets)
        with asking(self._any.url, user, file, self._words.ca_file) as desk:
            self._where = desk.where(wish)
        lacking = sorted(set(self._where.values()) - set(self._files))
        if lacking:
            named = ", ".join(lacking)
            raise UsageError(
                f"--envelope: the plan needs that of generation {named}",
                f"--envelope : le plan demande celle de la génération {named}",
            )

    def apart(self, main: str) -> set[str]:
        """The snapshots that lie in another generation than this one."""
        home = self._where.get(main)
        return {name for name, generation in self._where.items() if generation != home}

    def source(self, snapshots: Iterable[str], why: str) -> Source:
        """Of snapshots that lie together. Raises: those of `source_of`."""
        named = tuple(snapshots)
        words = msgspec.structs.replace(self._words, envelope=(self._files[self._where[named[0]]],))
        return source_of(words, self._secrets, named, why)

    def others(self, apart: Iterable[str], why: str) -> tuple[Other, ...]:
        """Each other generation, with a view and a key of its own."""
        found: dict[str, list[str]] = {}
        for name in sorted(apart):
            found.setdefault(self._where[name], []).append(name)
        return tuple(self._other(generation, names, why) for generation, names in found.items())

    def _other(self, generation: str, names: list[str], why: str) -> Other:
        place = self._secrets / f"generation-{generation}"
        place.mkdir(mode=0o700, exist_ok=True)
        words = msgspec.structs.replace(self._words, envelope=(self._files[generation],))
        source = source_of(words, place, tuple(names), why)
        return Other(
            lent=source.lent,
            snapshots=tuple(names),
            repository=source.repository or source.lent.repository,
        )
