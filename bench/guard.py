"""What the guard costs: slowdown of honest work beside no guard and beside ClamAV, memory, CPU, window, stop.

    .venv/bin/python bench/guard.py [--quick] [--json] [--fs ext4] [--no-clamav]

Loop images (direct I/O where the disk below allows it), rounds interleaved off / guard / ClamAV so
that what else runs on the machine weighs on all alike; ratios are of medians. The guard acts
(`--enforce`) within the namespace of the measured work. Needs root; leaves nothing mounted or running.
"""

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time

from people import People
from scanners import ClamAV, Guard, Nobody, cpu_s, private_mb, resident_mb
from work import WORKS, corpus, text

from releve.apps.simulate import ledger
from releve.apps.simulate.places import GIB, Place, mount_image

Figures = dict[str, float | int | str | bool | list[str] | None]


def main() -> None:
    chosen = _arguments()
    if os.geteuid():
        raise SystemExit("bench/guard.py: loop images and fanotify need root.")
    found: Figures = {"cpus": os.cpu_count() or 0, "kernel": platform.release()}
    found["load_before"] = round(os.getloadavg()[0], 1)
    began = time.perf_counter()
    book = ledger.Ledger(f"bench-{os.getpid()}")
    try:
        for fs in chosen.fs or (["ext4"] if chosen.quick else ["ext4", "xfs", "btrfs"]):
            place = mount_image(book, fs, size=6 * GIB)
            if isinstance(place, Place):
                bench = Bench(place, chosen, found)
                try:
                    bench.run()
                finally:
                    bench.end()
            else:
                found[f"{fs}_not_shown"] = place.why
    finally:
        book.clear()
    found["load_after"] = round(os.getloadavg()[0], 1)
    found["took_s"] = round(time.perf_counter() - began, 1)
    _show(found, as_json=chosen.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="ext4 alone, small, under a minute")
    parser.add_argument("--json", action="store_true", help="one object of named figures")
    parser.add_argument("--fs", action="append", choices=["ext4", "xfs", "btrfs"])
    parser.add_argument("--rounds", type=int, default=0, help="off/guard/ClamAV rounds")
    parser.add_argument("--no-clamav", action="store_true")
    return parser.parse_args()


class Bench:
    """All figures of one file system, named `FS_what`."""

    def __init__(self, place: Place, chosen: argparse.Namespace, found: Figures) -> None:
        self.fs, self.root, self.quick = place.fs, place.root, chosen.quick
        self.found, self.rounds = found, chosen.rounds or (2 if chosen.quick else 5)
        self.files = 500 if chosen.quick else 3_000
        self.share = self.root / "partage"
        self.people = People()
        self.guard = Guard(
            self.share, self.root / "reserve", self.root / "guard.err", self.people.scope
        )
        self.clamav = ClamAV(self.share, self.root / "clamav")
        if chosen.no_clamav:
            self.clamav.why_not = "not asked for"
        self.times: dict[tuple[str, str], list[float]] = {}
        self.catch_up: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}
        self._say("direct_io", place.direct_io)

    def run(self) -> None:
        self._say("files", self.files)
        self._say("corpus_mb", round(corpus(self.share / "docs", self.files) / 1e6, 1))
        os.sync()
        watchers = [Nobody(), self.guard, self.clamav]
        for number in range(self.rounds):
            for watcher in watchers[number % 3 :] + watchers[: number % 3]:
                self._round(watcher)
        self._say_slowdowns()
        self._say_guard()
        self._window()
        self._stop_latency()

    def end(self) -> None:
        """Whatever still watches is ended, also after a failure: nothing may hold the mount."""
        self.people.end()
        self.clamav.stop()
        process = getattr(self.guard, "process", None)
        if process is not None and process.poll() is None:
            self.guard.stop()

    def _say(self, name: str, value: float | str | bool | list[str] | None) -> None:
        self.found[f"{self.fs}_{name}"] = value

    def _round(self, watcher: Nobody | Guard | ClamAV) -> None:
        watcher.start()
        if watcher is self.clamav and self.clamav.why_not:
            return
        for work in WORKS:
            self.people.prepare(work.name, self.share, self.files)
            os.sync()
            watcher.rest()
            before = cpu_s(self.guard.process.pid) if watcher is self.guard else 0.0
            waited, took = self.people.act(work.name, self.share, self.files)
            self.times.setdefault((work.name, watcher.name), []).append(waited)
            if watcher is self.guard:
                spent = cpu_s(self.guard.process.pid) - before
                self.cpu.setdefault(work.name, []).append(100 * spent / took)
                self.catch_up.setdefault(work.name, []).append(watcher.rest())
            self.people.tidy(self.share)
        watcher.rest()
        if watcher is self.guard:
            self._say("memory_after_storms_mb", round(resident_mb(self.guard.process.pid), 1))
        if watcher is self.clamav:
            self._say("clamav_memory_mb", round(self.clamav.memory_mb(), 1))
        watcher.stop()

    def _say_slowdowns(self) -> None:
        for work in WORKS:
            medians = {
                w: statistics.median(t) for (n, w), t in self.times.items() if n == work.name
            }
            for name in ("off", "guard", "clamav"):
                self._say(f"{work.name}_{name}_s", _round(medians.get(name)))
                if name != "off":
                    ratio = medians[name] / medians["off"] if name in medians else None
                    self._say(f"{work.name}_{name}_ratio", _round(ratio))
            self._say(f"{work.name}_goal_ratio", work.goal)
            self._say(
                f"{work.name}_guard_cpu_percent", round(statistics.median(self.cpu[work.name]))
            )
            self._say(
                f"{work.name}_guard_catch_up_s", _round(statistics.median(self.catch_up[work.name]))
            )
        self._say("rounds", self.rounds)
        self._say("clamav_not_measured", self.clamav.why_not or None)
        self._say("clamav_signatures", "one harmless test signature: a lower bound of its cost")

    def _say_guard(self) -> None:
        """Baseline, memory and CPU at rest of a guard that has seen nothing yet."""
        self.guard.start()
        self.guard.rest()
        pid = self.guard.process.pid
        self._say("memory_ready_mb", round(resident_mb(pid), 1))
        self._say("memory_ready_private_mb", round(private_mb(pid), 1))
        seconds, before = (3 if self.quick else 10), cpu_s(pid)
        time.sleep(seconds)
        self._say("cpu_idle_percent", round(100 * (cpu_s(pid) - before) / seconds, 2))
        self.guard.stop()
        self._say("mode", self.guard.mode)
        self._say("baseline_s", _round(statistics.median(self.guard.baseline_s)))
        self._say("baseline_room_mb", round(self.guard.room_bytes / 1e6, 1))
        self._say("stopped", sorted(set(self.guard.stopped)))

    def _window(self) -> None:
        """From an honest save to its settled copy, as the guard itself measures it."""
        rows = (("16kb", 16_000, 500.0, 500, 5.0), ("16mb", 16_000_000, 2.0, 8, 5.0))
        for name, size, rate, files, seconds in rows:
            figures = self._save(size, rate, files, seconds if not self.quick else 2.0)
            for key in ("p50_ms", "p99_ms", "worst_ms", "saves"):
                self._say(f"window_{name}_{key}", figures.get(key))
        figures = self._save(128_000_000, 0.5, 1, 4.0 if not self.quick else 2.0)
        if figures.get("p50_ms"):
            self._say("window_large_mb_per_s", round(128_000 / figures["p50_ms"], 1))

    def _save(self, size: int, rate: float, files: int, seconds: float) -> dict[str, float]:
        folder = self.share / "sauvegardes"
        folder.mkdir()
        paths = [folder / f"{number}.txt" for number in range(files)]

        content = text(random.Random(1), size)
        for path in paths:
            path.write_bytes(content)
        os.sync()
        self.guard.start()
        self.guard.rest()
        self.guard.windows.clear()
        before, began, count = cpu_s(self.guard.process.pid), time.perf_counter(), 0
        while (now := time.perf_counter() - began) < seconds:
            if count / rate > now:
                time.sleep(min(0.001, count / rate - now))
                continue
            paths[count % files].write_bytes(b"%09d" % count + content[9:])
            count += 1
        spent = cpu_s(self.guard.process.pid) - before
        self.guard.rest()
        self.guard.stop()
        shutil.rmtree(folder)
        lines = self.guard.windows
        if size == 16_000:
            self._say("window_16kb_saves_per_s", round(count / seconds))
            self._say("window_16kb_cpu_percent", round(100 * spent / seconds))
        if not lines:
            return {}
        return {
            "saves": sum(line["saves"] for line in lines),
            "p50_ms": statistics.median(line["p50_ms"] for line in lines),
            "p99_ms": max(line["p99_ms"] for line in lines),
            "worst_ms": max(line["worst_ms"] for line in lines),
        }

    def _stop_latency(self) -> None:
        """The simulation's full-speed in-place encryptor, in its own process namespace."""
        words = ["simulate", "--full", "--fs", self.fs, "--no-chain", "--json", "--files", "500"]
        done = subprocess.run(
            [sys.executable, "-m", "releve.apps.cli.main", *words, "--only", "in-place-fast"],
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        attacks = json.loads(done.stdout)["attacks"] if done.stdout.startswith("{") else []
        for name in ("first_write_to_stop_ms", "files_touched", "files_lost", "rollback_ms"):
            self._say(f"attack_{name}", attacks[0][name] if attacks else None)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _show(found: Figures, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        print(f"{name:42} {value}")


if __name__ == "__main__":
    main()
