"""The ground of a series: a marked practice share, chance, and makers of new files."""

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from releve.apps.simulate.corpus import dicom, documents, jpeg, words
from releve.apps.simulate.mark import MARK, require_mark


class Ground:
    """What a transition works on; refuses a folder that carries no mark of the simulation."""

    def __init__(self, share: Path, seed: int) -> None:
        require_mark(share)
        self.share = share
        self.rng = Random(seed)
        self.database = share / "Logiciel médical/cabinet.db"
        self._sentences = words.sentences(Random(11), 300)
        self._rows = jpeg.row_pool(Random(12))
        self._pictures = dicom.smooth_pictures(Random(13), 6)
        self._scan = documents.grey_scan(Random(14), 520, 360)

    def files(self, *endings: str, folder: str = "") -> list[Path]:
        """Regular files with one of these endings (all without), in a fixed order."""
        top = self.share / folder
        found = [p for p in top.rglob("*") if p.is_file() and not p.is_symlink() and p.name != MARK]
        return sorted(p for p in found if not endings or p.suffix.lower() in endings)

    def documents(self) -> list[Path]:
        """Everything but the database, its like, and the mark."""
        return [p for p in self.files() if p.suffix not in (".db", ".sqlite") and p.stat().st_size]

    def some(self, found: list[Path], count: int) -> list[Path]:
        return self.rng.sample(found, min(count, len(found)))

    def folder(self, name: str) -> Path:
        made = self.share / name
        made.mkdir(parents=True, exist_ok=True)
        return made

    def anywhere(self) -> Path:
        """A folder that is there."""
        return self.rng.choice(sorted({path.parent for path in self.files()}))

    def text(self, lines: int = 60) -> str:
        return "\n".join(self.rng.choices(self._sentences, k=lines))

    def docx(self) -> bytes:
        picture = jpeg.photo(self.rng, self._rows, 10) if self.rng.random() < 0.3 else b""
        return documents.docx(
            self.rng.choices(self._sentences, k=self.rng.randint(30, 200)), picture
        )

    def odt(self) -> bytes:
        return documents.odt(self.rng.choices(self._sentences, k=120))

    def pdf(self) -> bytes:
        import zlib

        pages = [zlib.compress(documents.grey_scan(self.rng, 150, 150), 1) for _ in range(2)]
        return documents.pdf(self.rng.choices(self._sentences, k=40), pages, 150)

    def png(self) -> bytes:
        turn = self.rng.randrange(360) * 520
        return documents.png(self._scan[turn:] + self._scan[:turn], 520, f"n° {self.rng.random()}")

    def jpg(self) -> bytes:
        return jpeg.photo(
            self.rng, self._rows, self.rng.randint(40, 110), exif=jpeg.camera("Appareil")
        )

    def dcm(self) -> bytes:
        name = f"{self.rng.choice(words.LAST)} {self.rng.choice(words.FIRST)}"
        return dicom.image(self.rng, self._pictures, name)

    def csv(self, rows: int = 200) -> bytes:
        return documents.csv_results(self.rng, rows).encode()


Act = Callable[[Ground], None]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What happens before one backup, and whether the data are harmed from then on."""

    act: Act
    harmed: bool


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One or more backups in a row, branching off the same past."""

    name: str
    kind: str
    steps: tuple[Step, ...]


def honest(name: str, kind: str, *acts: Act) -> Story:
    return Story(name=name, kind=kind, steps=tuple(Step(act=act, harmed=False) for act in acts))


def attack(name: str, kind: str, *acts: Act) -> Story:
    return Story(name=name, kind=kind, steps=tuple(Step(act=act, harmed=True) for act in acts))


def write(path: Path, content: bytes) -> None:
    """Replace or make a file as programs do: through a new one, renamed over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name[:200]}.new")
    new.write_bytes(content)
    new.replace(path)


def keep_times(path: Path, change: Callable[[Path], None]) -> None:
    """Do something to a file and set its times back, as careful attackers do."""
    status = path.stat()
    change(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
