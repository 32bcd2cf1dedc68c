"""What somebody looks for, by words: without caring for accents, case or order. Pure."""

import re
import unicodedata
from pathlib import PurePath

import msgspec

_MARKS = re.compile("[\u0300-\u036f]+")  # accents that stand apart from their letters
_SHORTEST = 2


class Wanted(msgspec.Struct, frozen=True):
    """Words that a path must hold, one of them at least in its last part."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, said: str) -> "Wanted":
        """The words of a sentence; a `*` that somebody types from habit means nothing here."""
        parts = (part.strip("*\"'«»") for part in folded(said).split())
        return cls(tuple(dict.fromkeys(part for part in parts if part)))

    @property
    def is_enough(self) -> bool:
        """One letter alone would find everything."""
        return any(len(word) >= _SHORTEST for word in self.words)

    def fits(self, path: str) -> bool:
        """Whether a path, relative to the folder that is searched, is meant."""
        whole = folded(path)
        if not all(word in whole for word in self.words):
            return False
        last = whole.rpartition("/")[2]
        return any(word in last for word in self.words)


def folded(text: str) -> str:
    """Small letters without accents; names from other systems keep accents apart (NFD)."""
    if text.isascii():  # a share has 200,000 names: the quick way where it is enough
        return text.lower()
    apart = _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return apart.replace("œ", "oe").replace("æ", "ae").replace("’", "'")


def score(wanted: Wanted, path: str) -> tuple[int, int, str]:
    """For sorting: names that hold all words first, then short names, then by the alphabet."""
    last = folded(PurePath(path).name)
    return sum(word not in last for word in wanted.words), len(last), folded(path)
