"""The guard's lines for a person at a terminal, in French."""

import datetime as dt
import sys
import threading
from collections.abc import Callable

from releve.model import lines

_VERBS = {
    "killed": "Arrêté",
    "frozen": "Suspendu, à décider",
    "client_blocked": "Poste client bloqué",
    "would_stop": "Aurait arrêté",
    "none": "Constaté, personne à arrêter",
}


def sentence(line: object) -> str:
    """One line of the guard in words."""
    match line:
        case lines.Progress():
            return f"… {line.folder} : {line.files} fichiers, {line.percent:.0f} %"
        case lines.Ready():
            folders = ", ".join(f"{f.path} ({f.mode}, {f.files} fichiers)" for f in line.folders)
            return f"Prêt{'' if line.enforce else ' (observation seule)'} : {folders}"
        case lines.Stopped():
            why = " ; ".join(dict.fromkeys(p.why for p in line.points[:4]))
            verb = _VERBS.get(line.action, line.action)
            who = f"{verb} : {line.program or '?'}, {line.first_write_to_stop_ms:.0f} ms après"
            return f"{who} la première écriture, {line.files_touched} fichiers touchés — {why}"
        case lines.RolledBack():
            aside = len(line.quarantined)
            return f"Remis : {line.restored}, perdus : {len(line.lost)}, mis à l'écart : {aside}"
        case lines.Alert():
            return f"Alerte : {line.why}"
        case lines.Window():
            return f"Fenêtre : {line.saves} enregistrements, médiane {line.p50_ms:.1f} ms, p99 {line.p99_ms:.1f} ms"
        case _:
            return str(line)


def standing(status: lines.Status) -> str:
    """What a running guard holds and whom it stopped, in lines."""
    acts = "Le gardien agit." if status.enforce else "Le gardien observe seulement."
    found = [acts, *(_folder(folder) for folder in status.folders)]
    found += [f"Suspendu, à décider : {family}" for family in status.frozen]
    found += [f"{_moment(line.at)}  {sentence(line)}" for line in status.stopped]
    return "\n".join(found if status.stopped else [*found, "Personne n'a été arrêté."])


def _moment(at: str) -> str:
    """By this machine's clock on the wall."""
    return dt.datetime.fromisoformat(at).astimezone().strftime("%d/%m/%Y %H:%M:%S")


def _folder(folder: lines.Folder) -> str:
    held, room = _size(folder.held_bytes), _size(folder.room_bytes)
    return f"{folder.path} : {folder.files} fichiers tenus ({folder.mode}), {held} ; place : {room}"


def _size(count: int) -> str:
    from releve.report.text import Voice  # asked by people only: the guard itself stays small

    return Voice("fr").size(count)


def person_printer() -> Callable[[object], None]:
    """Print sentences on stdout, whole lines only, from any thread."""
    lock = threading.Lock()

    def say(line: object) -> None:
        with lock:
            sys.stdout.write(sentence(line) + "\n")
            sys.stdout.flush()

    return say
