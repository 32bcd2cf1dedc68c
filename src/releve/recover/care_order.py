"""In which order data come home: today's patients and the databases first, then services by rank.

Paths are relative to the recovered folder. They name patients: nothing of this leaves the host.
"""

import enum
import re
import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

LAST_RANK = 1_000  # of what belongs to no service
# By ending only: the content is not here yet. What is no database merely comes home earlier.
DATABASE_ENDINGS = frozenset(
    {
        *(".db", ".db3", ".sqlite", ".sqlite3", ".s3db", ".sl3"),
        *(".accdb", ".dbf", ".fdb", ".gdb", ".ibd", ".mdb", ".mdf", ".ldf", ".frm", ".myd", ".myi"),
    }
)
_WORD = re.compile(r"\w+")


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A care activity and the folders or files that it works with; rank 1 comes first."""

    name: str
    rank: int
    places: tuple[str, ...]
    databases: tuple[str, ...] = ()  # files or folders that are databases whatever their ending


class CareList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What care needs first; `today` holds names of people ("DUPONT Jean") or paths ("patients/042")."""

    services: tuple[Service, ...] = ()
    today: tuple[str, ...] = ()


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One file of the snapshot."""

    path: str
    size: int


class Group(enum.StrEnum):
    """The three waves; the first two come home side by side."""

    TODAY = "today"
    DATABASES = "databases"
    REST = "rest"


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """How much the last wave is: it comes in `batches`, and its files, a million, are not named."""

    files: int = 0
    bytes: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Every file in one wave; those of the first two by name, in their order."""

    today: tuple[Item, ...]
    databases: tuple[Item, ...]
    rest: Rest


def plan(items: Iterable[Item], care: CareList) -> Plan:
    """Sort the files into waves; they are taken one by one, and the rest is only counted.

    Databases: by service, then the smaller one, which serves sooner. Documents of today: by service.
    """
    ranks, wanted = _Ranks(care.services), _Wanted(care.today)
    today: list[tuple[int, Item]] = []
    databases: list[tuple[int, Item]] = []
    files = size = 0
    for item in items:
        if ranks.is_database(item.path):
            databases.append((ranks.of(item.path), item))
        elif wanted.has(item.path):
            today.append((ranks.of(item.path), item))
        else:
            files += 1
            size += item.size
    today.sort(key=lambda pair: (pair[0], pair[1].path))
    databases.sort(key=lambda pair: (pair[0], pair[1].size, pair[1].path))
    return Plan(
        today=_items(today), databases=_items(databases), rest=Rest(files=files, bytes=size)
    )


def batches(care: CareList, *, most: int = 4) -> list[tuple[str, ...]]:
    """Places to restore one after the other, the first rank first; the last, (), is everything.

    Each batch costs the engine a start: the last ranks come with everything.
    """
    by_rank: dict[int, list[str]] = {}
    for service in care.services:
        by_rank.setdefault(service.rank, []).extend(place.strip("/") for place in service.places)
    ranked = [tuple(filter(None, by_rank[rank])) for rank in sorted(by_rank)]
    return [*[places for places in ranked if places][:most], ()]


def words_of(text: str) -> frozenset[str]:
    """The words of a name without case and accents; "_" and "-" part words."""
    plain = unicodedata.normalize("NFKD", text).casefold().replace("_", " ")
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return frozenset(_WORD.findall(bare))


class _Ranks:
    """The rank of a path: of the service whose place holds it, the deepest place first."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._rank: dict[str, int] = {}
        for service in services:
            for place in (*service.places, *service.databases):
                key = place.strip("/")
                self._rank[key] = min(service.rank, self._rank.get(key, service.rank))
        self._databases = {p.strip("/") for service in services for p in service.databases}
        self._known: dict[str, int] = {}

    def of(self, path: str) -> int:
        own = self._rank.get(path)
        if own is not None:
            return own
        folder = _folder(path)
        if folder not in self._known:
            self._known[folder] = next(
                (self._rank[above] for above in _above(folder) if above in self._rank), LAST_RANK
            )
        return self._known[folder]

    def is_database(self, path: str) -> bool:
        if _ending(path) in DATABASE_ENDINGS:
            return True
        return bool(self._databases) and any(above in self._databases for above in _above(path))


class _Wanted:
    """Whose patients come today: a path below a listed one, or all words of a name in the path."""

    def __init__(self, today: Sequence[str]) -> None:
        self._places = {entry.strip("/") for entry in today if entry.strip("/")}
        self._names: dict[str, list[frozenset[str]]] = {}
        for entry in today:
            words = words_of(entry)
            if words:  # filed under its longest word, which is the rarest one, as a rule
                self._names.setdefault(max(words, key=lambda w: (len(w), w)), []).append(words)
        self._words: dict[str, frozenset[str]] = {}

    def has(self, path: str) -> bool:
        if not self._places:
            return False
        if any(above in self._places for above in _above(path)):
            return True
        folder, _, name = path.rpartition("/")
        if folder not in self._words:
            self._words[folder] = words_of(folder)
        words = self._words[folder] | words_of(name)
        return any(wanted <= words for word in words for wanted in self._names.get(word, ()))


def _items(pairs: Sequence[tuple[int, Item]]) -> tuple[Item, ...]:
    return tuple(item for _, item in pairs)


def _ending(path: str) -> str:
    """As PurePath says it, five times faster."""
    name, dot, last = path.rpartition("/")[2].rpartition(".")
    return f".{last.lower()}" if name and dot else ""


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _above(path: str) -> Iterable[str]:
    """The path itself, then its folders up to the root ""."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""
