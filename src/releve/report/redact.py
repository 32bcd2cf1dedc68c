"""Takes file and folder names out of sentences: a file name is patient data, reports travel."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from releve.model.lines import Alert, GuardLine, Progress, Ready, RolledBack, Stopped, Window
from releve.model.proof import AttackResult

HIDDEN = "•••"
SHORTEST = 4  # a shorter word alone names nobody, and hiding it would spoil the sentence
ABSOLUTE = re.compile(r"(?<![\w.>])/(?:[^\s/«»\"']+/)*[^\s/«»\"',;:]+")
FILE_NAME = re.compile(r"[\w\-()~#]+(?:\.[\w\-]+)*\.[A-Za-z][A-Za-z0-9]{1,5}\b(?!\()")


REPEATED = re.compile(rf"{HIDDEN}(?:[ /]*{HIDDEN})+")


def paths_of(lines: Iterable[GuardLine]) -> tuple[str, ...]:
    """Every path that the guard's lines carry in a field of their own."""
    found: list[str] = []
    for line in lines:
        match line:
            case Stopped():
                found += [point.path for point in line.points]
            case RolledBack():
                found += [
                    *line.lost,
                    *line.newest_save_lost,
                    *line.quarantined,
                    *line.kept_both,
                    *line.left,
                ]
            case Progress() | Alert() | Window():
                found.append(line.folder)
            case Ready():
                found += [line.store, *(folder.path for folder in line.folders)]
    return tuple(path for path in found if path)


def names_in(attack: AttackResult) -> frozenset[str]:
    """What must not be read in a report on this attack: paths, their ends, the names in them."""
    wrong = (entry.rsplit(": ", 1)[0] for entry in attack.wrong)
    return names_of((*paths_of(attack.lines), *wrong))


def names_of(paths: Iterable[str]) -> frozenset[str]:
    hidden: set[str] = set()
    for path in paths:
        pure = PurePosixPath(path)
        parts = [part for part in pure.parts if part != "/"]
        hidden.add(path)
        hidden.update("/".join(parts[start:]) for start in range(len(parts)))
        hidden.update([pure.stem, *parts[-2:]])
        hidden.add(pure.name.split(".", 1)[0])
    return frozenset(name for name in hidden if len(name) >= SHORTEST)


def without_names(sentence: str, names: Iterable[str] = ()) -> str:
    """The sentence with every such name hidden, and whatever looks like a path or a file too."""
    for name in sorted(names, key=len, reverse=True):
        sentence = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", HIDDEN, sentence)
    sentence = FILE_NAME.sub(HIDDEN, ABSOLUTE.sub(HIDDEN, sentence))
    return REPEATED.sub(HIDDEN, sentence)
