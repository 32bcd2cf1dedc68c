"""What a person at a terminal reads of the guard."""

import os
import time

import pytest

from releve.apps.guard import wiring
from releve.apps.guard.show import standing
from releve.model.lines import Folder, Point, Status, Stopped

_FOLDER = Folder(
    path="/srv/cabinet", mode="reflink", attribution="exact", room_bytes=2_000_000_000, files=3
)
_AFTER = "31 ms après la première écriture, 4 fichiers touchés"
_MET = f"Constaté, personne à arrêter : python3.11, {_AFTER}"
_STOP = Stopped(
    family="7", points=(Point(why="contenu devenu bruit", score=10.0),), first_write_to_stop_ms=31.0,
    action="none", files_touched=4, at="2026-11-22T15:16:00+00:00", program="python3.11",
)  # fmt: skip


def test_the_standing_of_a_guard_is_lines_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times by the machine's own clock."""
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        told = standing(Status(enforce=True, folders=(_FOLDER,), frozen=("9",), stopped=(_STOP,)))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert told.splitlines() == [
        "Le gardien agit.",
        "/srv/cabinet : 3 fichiers tenus (reflink), 0\u00a0o ; place : 2,0\u00a0Go",
        "Suspendu, à décider : 9",
        f"22/11/2026 16:16:00  {_MET} — contenu devenu bruit",
    ]


def test_a_guard_that_stopped_nobody_says_so() -> None:
    told = standing(Status(enforce=False, folders=(), frozen=(), stopped=()))
    assert told.splitlines() == ["Le gardien observe seulement.", "Personne n'a été arrêté."]


def test_a_scope_that_is_gone_or_hidden_is_told_by_its_true_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(child, 0)
    with pytest.raises(wiring.ScopeError, match="no such process lives"):
        wiring._scope(child)
    monkeypatch.setattr(wiring.procfs, "pid_namespace", lambda *_, **__: 0)
    with pytest.raises(wiring.ScopeError, match="may not be read"):
        wiring._scope(os.getpid())
