"""The honest work whose slowdown is measured; each is made ready outside of the clock."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from releve.apps.simulate.corpus import documents
from releve.apps.simulate.honest.rewriting import office_save

_SAVE_EVERY_S = 0.05


class Work(NamedTuple):
    """One workload. `goal` is the ratio that was promised for it.

    `act` answers the seconds that its user waited, None for all the time that it took.
    """

    name: str
    goal: float
    prepare: Callable[[Path, int], None]
    act: Callable[[Path, int], float | None]


def text(chance: random.Random, size: int) -> bytes:
    """Prose of a practice, never twice the same."""
    words = "patient consultation traitement toux fièvre examen tension contrôle ordonnance dossier radio"
    out = " ".join(chance.choices(words.split(), k=size // 8))
    return out.encode()


def corpus(folder: Path, files: int) -> int:
    """`files` texts of 3 to 60 kB in 30 folders; the bytes."""
    chance, total = random.Random(2026), 0
    for number in range(files):
        parent = folder / f"dossier {number % 30:02}"
        parent.mkdir(parents=True, exist_ok=True)
        content = text(chance, chance.randrange(3_000, 60_000))
        (parent / f"lettre {number:05}.txt").write_bytes(content)
        total += len(content)
    return total


def run(*words: str | Path, cwd: Path) -> None:
    subprocess.run([str(word) for word in words], cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def _nothing(_area: Path, _files: int) -> None: ...


def _tar(area: Path, _files: int) -> None:
    if not (area.parent / "source.tar").exists():
        run("tar", "-cf", "../source.tar", "docs", cwd=area)


def _untar(area: Path, _files: int) -> None:
    (area / "untar").mkdir()
    run("tar", "-xf", area.parent / "source.tar", "-C", "untar", cwd=area)


def _grep(area: Path, _files: int) -> None:
    for _ in range(2):
        words = ["grep", "-rc", "introuvable", "docs"]  # finds nothing: its status is 1
        subprocess.run(words, cwd=area, stdout=subprocess.DEVNULL, check=False)


def _copy_some(area: Path, files: int) -> None:
    _copy(area, files // 10)


def _copy(area: Path, files: int) -> None:
    """So many texts, some of them more than once where the corpus has fewer."""
    (area / "copies").mkdir()
    texts = sorted((area / "docs").rglob("*.txt"))
    for number in range(files):
        shutil.copy(texts[number % len(texts)], area / "copies" / f"{number:05}.txt")


def _sed(area: Path, _files: int) -> None:
    run("sed", "-i", "s/toux/grippe/g", *sorted((area / "copies").iterdir()), cwd=area)


def _cp(area: Path, _files: int) -> None:
    run("cp", "-r", "docs", "docs copie", cwd=area)


def _office(area: Path, _files: int) -> float:
    """A practice of many hands: a document is saved every 50 ms; the time of the saves alone."""
    waited, began = 0.0, time.perf_counter()
    for number, path in enumerate(sorted((area / "bureau").iterdir())):
        time.sleep(max(0.0, began + number * _SAVE_EVERY_S - time.perf_counter()))
        start = time.perf_counter()
        office_save(path, number)
        waited += time.perf_counter() - start
    return waited


def _office_burst(area: Path, _files: int) -> None:
    """The same documents by a script that never pauses."""
    for number, path in enumerate(sorted((area / "bureau").iterdir())):
        office_save(path, number)


def _documents(area: Path, _files: int) -> None:
    (area / "bureau").mkdir()
    for number in range(60):
        (area / f"bureau/{number}.odt").write_bytes(documents.odt(["Texte du jour."] * 150))


def _dd(area: Path, files: int) -> None:
    count = f"count={files // 10}"
    run("dd", "if=/dev/zero", "of=gros", "bs=1M", count, "conv=fsync", "status=none", cwd=area)


WORKS = (
    Work("untar", 1.5, _tar, _untar),
    Work("grep", 1.1, _nothing, _grep),
    Work("office", 1.1, _documents, _office),
    Work("office_burst", 1.5, _documents, _office_burst),
    Work("bulk", 1.05, _nothing, _dd),
    Work("sed", 1.5, _copy_some, _sed),
    Work("cp", 1.5, _nothing, _cp),
    Work("sed_all", 1.5, _copy, _sed),
)


def tidy(area: Path) -> None:
    """Everything but the corpus goes."""
    for path in area.iterdir():
        if path.name != "docs":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.sync()
