"""How often the verdict on a snapshot is wrong: a labelled series with known truth.

    .venv/bin/python bench/clean_point.py [--quick] [--restic] [--json] [--held-out | --only NAME]

Without --restic snapshots are copies of folders (the judgement is the same code); with it, each step
is a real backup through a rest-server on loopback. --quick takes a smaller share.
"""

import argparse
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.clean_series import attacks, honest
from bench.clean_series.ground import Story
from bench.clean_series.run import Result, run


def figures(results: Sequence[Result], name: str) -> dict[str, object]:
    """The counts of one series."""
    harmed = [r for r in results if r.harmed]
    work = [r for r in results if not r.harmed]
    times = [r.judged_ms for r in results]
    return {
        "series": name,
        "transitions": len(results),
        "harmed": len(harmed),
        "harmed_called_clean": sum(r.is_wrong for r in harmed),
        "harmed_called_bad": sum(r.verdict.value == "bad" for r in harmed),
        "honest": len(work),
        "honest_not_called_clean": sum(r.is_wrong for r in work),
        "wrong_verdicts": sum(r.is_wrong for r in results),
        "judged_ms_median": statistics.median(times),
        "judged_ms_worst": max(times),
        "wrong": [msgspec.to_builtins(r) for r in results if r.is_wrong],
        "kinds": dict(Counter(r.kind for r in results)),
    }


def chosen(arguments: argparse.Namespace) -> tuple[str, tuple[Story, ...]]:
    if arguments.held_out:
        from bench.clean_series import held_out

        return "held out", held_out.STORIES
    stories = (*honest.STORIES, *attacks.STORIES)
    return "tuned", tuple(s for s in stories if (arguments.only or "") in s.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for word in ("--quick", "--restic", "--json", "--held-out"):
        parser.add_argument(word, action="store_true")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    name, stories = chosen(arguments)
    files = 500 if arguments.quick else 1_500

    def tell(result: Result) -> None:
        if not arguments.json:
            mark = "WRONG" if result.is_wrong else "ok"
            truth = "harmed" if result.harmed else "honest"
            print(
                f"{mark:5} {truth} {result.verdict.value:8} {result.judged_ms:6.0f} ms"
                f" {result.files:5} files  {result.story} [{result.step}]: {result.why}",
                flush=True,
            )

    with tempfile.TemporaryDirectory(prefix="releve-series-") as work:
        results = run(stories, Path(work), files=files, restic=arguments.restic, tell=tell)
    told = figures(results, name)
    print(msgspec.json.encode(told).decode() if arguments.json else _table(told))


def _table(told: dict[str, object]) -> str:
    return "\n".join(f"{key:26} {value}" for key, value in told.items() if key != "wrong")


if __name__ == "__main__":
    main()
