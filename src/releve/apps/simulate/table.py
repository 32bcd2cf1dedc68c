"""The live table: one line as each result comes, and what runs now on a terminal."""

import math
import shutil
import sys
import time
from typing import TextIO

from releve.apps.simulate import attacks, honest
from releve.apps.simulate.profile import Profile, Workload
from releve.apps.simulate.words import Lang, honest_sentence, say
from releve.model.proof import AttackResult, CareResult, HonestResult, Simulation
from releve.report import figures

_NAME = 46
_RED, _GREEN, _GREY, _BOLD, _END = "\x1b[31m", "\x1b[32m", "\x1b[90m", "\x1b[1m", "\x1b[0m"


class Table:
    """Writes to one stream; the line of what runs now only on a terminal."""

    def __init__(self, stream: TextIO, lang: Lang, total: int) -> None:
        self._stream = stream
        self._lang = lang
        self._tty = stream.isatty()
        self._total = total
        self._done = 0
        self._head = ""
        self._begun = time.monotonic()
        rows: list[Profile | Workload] = [*attacks.PROFILES, *attacks.NETWORK, *honest.WORKLOADS]
        self._titles = {row.name: row.title if lang == "fr" else row.title_en for row in rows}

    def say(self, key: str, *values: object) -> None:
        """A phrase on a line of its own."""
        self._line(say(self._lang, key, *values))

    def now(self, text: str) -> None:
        """What runs at this moment, overwritten by the next line."""
        if not self._tty:
            return
        seconds = int(time.monotonic() - self._begun)
        width = shutil.get_terminal_size().columns - 1
        words = f"… {self._done}/{self._total} · {seconds} s · {text}"
        self._stream.write("\r\x1b[K" + self._paint(_GREY, words[:width]))
        self._stream.flush()

    def now_profile(self, name: str, fs: str) -> None:
        """The profile that starts."""
        self.now(say(self._lang, "on", self._titles.get(name, name), fs))

    def attack(self, result: AttackResult) -> None:
        """One attack's row."""
        self._heading("attacks", ("fs", "touched", "lost", "newest", "stop", "rollback"))
        self._done += 1
        name = self._name(result.name)
        if result.skipped:
            self._line(
                f"{name} {result.fs:<12}"
                + self._paint(_GREY, say(self._lang, "skipped", result.skipped))
            )
            return
        lost = f"{result.files_lost:>8}"
        figures = f"{result.newest_save_lost:>16}{_ms(result.first_write_to_stop_ms):>12}{_ms(result.rollback_ms):>12}"
        paint = _RED if result.files_lost else _GREEN
        note = "" if result.stopped else "  " + say(self._lang, _unstopped(result))
        self._line(
            f"{name} {result.fs:<12}{result.files_touched:>10}{self._paint(paint, lost)}{figures}{note}"
        )
        for wrong in result.wrong[:3]:
            self._line(self._paint(_GREY, f"      {wrong}"))

    def honest(self, result: HonestResult) -> None:
        """One honest workload's row."""
        self._heading("honest", ("fs",))
        self._done += 1
        ratio = "" if result.slowdown is None else f"x{result.slowdown:.2f}"
        if result.skipped:
            words = self._paint(_GREY, say(self._lang, "skipped", result.skipped))
        elif result.stopped:
            words = (
                say(self._lang, "wanted")
                if result.wanted_stop
                else self._paint(_RED, say(self._lang, "halted"))
            )
        else:
            words = self._paint(_GREEN, say(self._lang, "let"))
        self._line(f"{self._name(result.name)} {result.fs:<12}{words:<24} {ratio}")

    def care(self, result: CareResult) -> None:
        """One part of the chain."""
        self._heading("chain", ())
        mark = self._paint(_GREEN, "✓") if result.ok else self._paint(_RED, "✗")
        took = f" ({_ms(result.ms)})" if result.ms >= 1 else ""
        self._line(f"{mark} {result.detail}{took}")

    def end(self, run: Simulation) -> None:
        """The short account."""
        shown = [row for row in run.attacks if not row.skipped]
        wrongly = [row for row in run.honest if row.stopped and not row.wanted_stop]
        self._head = ""
        self._line("")
        self._line(self._paint(_BOLD, say(self._lang, "summary")))
        if shown:
            over = sum(row.over for row in shown)
            stopped = say(self._lang, "sum_stopped", sum(row.stopped for row in shown))
            stopped += say(self._lang, "sum_over", over) if over else ""
            touched = figures.files_touched(run).median or 0.0
            self.say(
                "sum_attacks", len(shown), stopped, sum(row.files_lost for row in shown),
                sum(row.newest_save_lost for row in shown), f"{touched:g}", self._median_stop(run),
            )  # fmt: skip
        if run.honest:
            ran = [row for row in run.honest if not row.skipped]
            held_out = sum(row.held_out for row in ran)
            apart = sum(row.held_out for row in wrongly)
            self._line(honest_sentence(self._lang, len(ran), held_out, len(wrongly), apart))
        reasons = dict.fromkeys(row.skipped for row in run.attacks if row.skipped)
        skipped = [
            ", ".join(self._name(row.name).strip() for row in run.attacks if row.skipped == why)
            + f" : {why}"
            for why in reasons
        ]
        if missing := [*run.environment.not_shown, *skipped]:
            self._line(say(self._lang, "not_shown") + " :")
            for what in missing:
                self._line(f"  - {what}")

    def _median_stop(self, run: Simulation) -> str:
        """As the report has it: whom nobody stopped counts as infinitely late."""
        late = figures.stop_delay(run)
        if late.median is None:
            return "-"
        time = say(self._lang, "never") if math.isinf(late.median) else _ms(late.median)
        return time + (say(self._lang, "never_counted", late.never) if late.never else "")

    def _heading(self, key: str, columns: tuple[str, ...]) -> None:
        if self._head == key:
            return
        self._head = key
        self._line("")
        widths = {"fs": -12, "touched": 10, "lost": 8, "newest": 16, "stop": 12, "rollback": 12}
        words = ""
        for column in columns:
            text, width = say(self._lang, column), widths[column]
            words += f"{text:<{-width}}" if width < 0 else f"{text:>{width}}"
        self._line(self._paint(_BOLD, f"{say(self._lang, key):<{_NAME}} {words}"))

    def _name(self, name: str) -> str:
        return f"{self._titles.get(name, name)[:_NAME]:<{_NAME}}"

    def _line(self, text: str) -> None:
        clear = "\r\x1b[K" if self._tty else ""
        self._stream.write(f"{clear}{text}\n")
        self._stream.flush()

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_END}" if self._tty else text


def _unstopped(result: AttackResult) -> str:
    if not result.over:
        return "not_stopped"
    return "over" if result.files_lost else "over_undone"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def stream_for(as_json: bool) -> TextIO:
    """With --json the table is talk, and goes to stderr."""
    return sys.stderr if as_json else sys.stdout
