"""Kill -9 at random moments, again and again: what the suite does a few times, for as long as you like.

    .venv/bin/python bench/soak.py [--quick] [--json] [--kills 50] [--seed N]

It runs the suite's own tests of kills with fresh seeds: client, gate and rest-server in mid-backup; restic's
FUSE mount, the driver and the hand-over of a recovery; a restore drill. A kill counts when its victim was
alive. Lost means: a test found an object, a saved file or a verdict that is not as it was; its words are kept.
"""

import argparse
import ast
import collections
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
_RECOVER = "tests/recover/test_instant.py::test_the_"
# test, kills of one run of it, the environment that says how many
TESTS = (
    ("tests/vault/test_random_kills.py", 1, "RELEVE_KILLS"),
    (f"{_RECOVER}vault_killed_again_and_again_loses_nothing_that_was_written", 3, "RELEVE_KILLS"),
    (f"{_RECOVER}driver_killed_at_any_moment_goes_on_when_started_again", 3, "RELEVE_KILLS"),
    (
        f"{_RECOVER}hand_over_killed_at_any_moment_goes_on_and_is_never_shown_as_done",
        3,
        "RELEVE_KILLS",
    ),
    ("tests/drill/test_killed.py::test_killed_at_random", 1, "RELEVE_DRILL_KILLS"),
)
_COUNTED = re.compile(r"\d+ kills: (\{[^}]*\})")


def soak(kills: int, seed: int) -> dict[str, object]:
    """At least so many kills, shared among the victims."""
    counted: collections.Counter[str] = collections.Counter()
    failed: list[str] = []
    began = time.perf_counter()
    for test, each, variable in TESTS:
        wanted = -(-kills // len(TESTS) // each)
        words = ["-q", "-s", "-p", "no:randomly", "-p", "no:cacheprovider", "--timeout", "1800"]
        path, _, name = test.partition("::")
        chosen = [path, *(["-k", name] if name else [])]
        seeds = {"RELEVE_SEED": str(seed), "RELEVE_DRILL_SEED": str(seed)}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words, *chosen],
            cwd=ROOT,
            env=os.environ | seeds | {variable: str(wanted)},
            capture_output=True,
            text=True,
            check=False,
        )
        for told in _COUNTED.findall(done.stdout):
            counted.update(ast.literal_eval(told))
        if done.returncode:
            failed.append(f"{test}: {done.stdout[-3000:]}")
    return {
        "kills": counted.total(),
        **{f"kills_of_{victim}": number for victim, number in sorted(counted.items())},
        "tests_that_lost_something": len(failed),
        "failed": failed,
        "seed": seed,
        "took_s": round(time.perf_counter() - began, 1),
        "load_1min": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="each victim a few times")
    parser.add_argument("--json", action="store_true", help="one object of named figures")
    parser.add_argument("--kills", type=int, default=50, help="at least [50]")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="[by chance]")
    chosen = parser.parse_args()
    found = soak(5 if chosen.quick else chosen.kills, chosen.seed)
    if chosen.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:28} {value}")
    sys.exit(bool(found["failed"]))


if __name__ == "__main__":
    main()
