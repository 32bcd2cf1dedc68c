"""One recovery by the command, with people who work in it: what the vault's bench times."""

import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import msgspec
import practice
from vault_ground import HOST, RELEVE, Ground

from releve.adapters.linux import mounts
from releve.apps.recover.state import Progress, RecoveryHome

_STEPS = ("first_file", "first_write", "today_local", "databases_local", "all_local")
_SAVE_EVERY_S = 0.05


class Recovery(msgspec.Struct, kw_only=True):
    """What one recovery took, in seconds from the order."""

    seconds: dict[str, float]
    query_s: float | None  # somebody's first query of the practice's database
    write_s: float | None  # and somebody's first write
    saved: int
    lost: int | None = None
    finish_s: float | None = None


class Away(msgspec.Struct, kw_only=True):
    """What came over a slow link within the window."""

    seconds: dict[str, float | None]
    bytes_home: int
    rest_before_needed: int
    link_bytes: int
    window_s: float


def recover(
    at: Ground, target: Path, *, host: str = HOST, folder: Path | None = None, finish: bool = False
) -> Recovery:
    """Until all is local; with `finish` until it is verified, and what people saved is looked for."""
    home, begun = _order(at, target, at.lent(host), folder or at.source, "--until-local")
    people = People(home, target, folder or at.source)
    people.start()
    try:
        if begun.wait() != 0:
            raise SystemExit("recover start failed")
    finally:
        people.stop()
    reached = home.state().seconds
    found = Recovery(
        seconds={step: round(reached[step], 2) for step in _STEPS},
        query_s=people.query_s,
        write_s=people.write_s,
        saved=len(people.saved),
    )
    if finish:
        began = time.perf_counter()
        words = [*RELEVE, "recover", "finish", str(target), "--json"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        found.finish_s = round(time.perf_counter() - began, 2)
        found.lost = sum((target / name).read_text() != said for name, said in people.saved.items())
    else:
        _close(target)
    return found


def medians(runs: list[Recovery]) -> dict[str, float | int | None]:
    """The figures of several recoveries."""
    found: dict[str, float | int | None] = {
        f"{step}_s": round(statistics.median(run.seconds[step] for run in runs), 2)
        for step in _STEPS
    }
    for name, values in (
        ("database_query_s", [run.query_s for run in runs]),
        ("database_first_write_s", [run.write_s for run in runs]),
    ):
        whole = [value for value in values if value is not None]
        found[name] = round(statistics.median(whole), 2) if len(whole) == len(runs) else None
    found["files_saved_meanwhile"] = sum(run.saved for run in runs)
    found["files_saved_meanwhile_lost"] = sum(run.lost or 0 for run in runs)
    found["finish_verified_s"] = next((run.finish_s for run in runs if run.finish_s), None)
    return found


def offsite(at: Ground, link: "Link", window_s: float) -> Away:
    """As much as comes within the window; then the folder is closed."""
    target = at.root / "loin" / "cabinet"
    lent = at.lent(address=f"127.0.0.1:{link.port}")
    home, begun = _order(at, target, lent, at.source)
    people = People(home, target, at.source, writes=False)
    people.start()
    today = sum(practice.weigh(at.source / name)[1] for name in practice.patients(at.source, 40))
    before, told, ended = 0, None, time.monotonic() + window_s
    try:
        while time.monotonic() < ended and begun.poll() is None:
            told = home.progress() or told
            if told is not None and not _needed(told):
                before = _rest(told, today)
            if told is not None and "all_local" in told.seconds:
                break
            time.sleep(0.05)
        took = (time.time_ns() - home.asked().ordered_ns) / 1e9
        reached, told, carried = home.state().seconds, home.progress(), link.down()
    finally:
        people.stop()
        begun.terminate()
        begun.wait(60)
        _close(target)
    seconds: dict[str, float | None] = {
        step: round(reached[step], 2) if step in reached else None for step in _STEPS
    }
    return Away(
        seconds=seconds | {"database_query": people.query_s},
        bytes_home=told.bytes_home if told else 0,
        rest_before_needed=before,
        link_bytes=carried,
        window_s=reached.get("all_local", took),
    )


def _needed(told: Progress) -> bool:
    return {"today_local", "databases_local"} <= set(told.seconds)


def _rest(told: Progress, today: int) -> int:
    """At least so much of the rest was home then."""
    return max(0, told.bytes_home - told.databases_home - today)


def _order(
    at: Ground, target: Path, lent: list[str], folder: Path, *more: str
) -> tuple[RecoveryHome, subprocess.Popen[bytes]]:
    target.parent.mkdir(parents=True)
    today = at.root / "today.txt"
    today.write_text("".join(f"{name}\n" for name in practice.patients(folder, 40)))
    words = [*RELEVE, "recover", "start", str(target), *lent, "--folder", str(folder), *more]
    practice.settle()
    begun = subprocess.Popen([*words, "--today", str(today), "--json"], stdout=subprocess.DEVNULL)
    return RecoveryHome(target), begun


def _close(target: Path) -> None:
    words = [*RELEVE, "recover", "stop", str(target), "--json"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    mounts.unseal(str(target))


class People(threading.Thread):
    """Saves a document every 50 ms; asks the database, then writes into it, from the first moment on."""

    def __init__(
        self, home: RecoveryHome, target: Path, source: Path, *, writes: bool = True
    ) -> None:
        super().__init__(daemon=True)
        self._home, self._target, self._writes = home, target, writes
        self._folders = practice.patients(source, 100) or [""]
        self._has_database = (source / practice.DATABASE).exists()
        self._end = threading.Event()
        self._database = threading.Thread(target=self._at_the_database, daemon=True)
        self.saved: dict[str, str] = {}
        self.query_s: float | None = None
        self.write_s: float | None = None

    def run(self) -> None:
        self._wait_open()
        self._database.start()
        number = 0
        while not self._end.is_set():
            name = f"{self._folders[number % len(self._folders)]}/saisie {number}.txt"
            (self._target / name).write_text(f"note {number}")
            self.saved[name] = f"note {number}"
            number += 1
            self._end.wait(_SAVE_EVERY_S)
        self._database.join(120)

    def stop(self) -> None:
        self._end.set()
        self.join(180)

    def _wait_open(self) -> None:
        while not self._end.is_set():
            with contextlib.suppress(Exception):
                if "first_write" in self._home.state().seconds:
                    return
            time.sleep(0.01)

    def _at_the_database(self) -> None:
        if not self._has_database:
            return
        path = self._target / practice.DATABASE
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.execute("SELECT note FROM visit WHERE patient = 4242").fetchall()
        self.query_s = self._since_order()
        if not self._writes:
            return
        with contextlib.closing(sqlite3.connect(path, timeout=120)) as database:
            database.execute("INSERT INTO visit (note) VALUES ('pendant la reprise')")
            database.commit()
        self.write_s = self._since_order()

    def _since_order(self) -> float:
        return round((time.time_ns() - self._home.asked().ordered_ns) / 1e9, 2)


class Link:
    """A shaped link before the gate: bench/link.py in a process of its own."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        program = Path(__file__).with_name("link.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program), f"{place.hostname}:{place.port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self.port = int(self._line()["port"])

    def down(self) -> int:
        """Bytes that came from the vault so far."""
        if self._process.stdin is not None:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        return int(self._line()["down"])

    def _line(self) -> dict[str, int]:
        if self._process.stdout is None:
            raise SystemExit("the link said nothing")
        found: dict[str, int] = json.loads(self._process.stdout.readline())
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(20)
