"""The guard's lines for a person at a terminal, in French."""

import sys
import threading
from collections.abc import Callable

from releve.model import lines


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
            verb = "Aurait arrêté" if line.action == "would_stop" else "Arrêté"
            who = f"{verb} : {line.program or '?'} en {line.first_write_to_stop_ms:.0f} ms"
            return f"{who}, {line.files_touched} fichiers touchés — {why}"
        case lines.RolledBack():
            aside = len(line.quarantined)
            return f"Remis : {line.restored}, perdus : {len(line.lost)}, mis à l'écart : {aside}"
        case lines.Alert():
            return f"Alerte : {line.why}"
        case lines.Window():
            return f"Fenêtre : {line.saves} enregistrements, médiane {line.p50_ms:.1f} ms, p99 {line.p99_ms:.1f} ms"
        case _:
            return str(line)


def person_printer() -> Callable[[object], None]:
    """Print sentences on stdout, whole lines only, from any thread."""
    lock = threading.Lock()

    def say(line: object) -> None:
        with lock:
            sys.stdout.write(sentence(line) + "\n")
            sys.stdout.flush()

    return say
