"""Calls for help: does each reach a named person or the end of the chain, and how late is each escalation.

    .venv/bin/python bench/assist.py [--quick] [--json] [--requests N] [--real N] [--seed N]

Two parts, both with the real driver, database and fold. On a driven clock: calls at random hours of
seventy days (a change to winter time among them), first responders who do not answer, a dead channel,
holes in the rota, a server that is killed and started again. On the real clock: a server process with
Apprise and HTTP receivers, killed with kill -9 in the middle of the ringing; `--quick` waits 2 seconds for
each person there, else the product's 45.
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' receivers

import structlog
from assist_driven import driven
from assist_real import real

from releve.report.figures import percentile

Figures = dict[str, float | int | str | None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--real", type=int, default=10)
    parser.add_argument("--seed", type=int, default=4)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # A driven clock measures no disk: its database lies in memory where there is such a place.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="releve-assist-", dir=memory) as folder:
        one = driven(Path(folder), chosen.requests, Random(chosen.seed))
    with tempfile.TemporaryDirectory(prefix="releve-assist-") as folder:
        answer_s = 2.0 if chosen.quick else 45.0
        other = real(Path(folder), chosen.real, Random(chosen.seed), answer_s)
    lags = [*one.lags, *other.lags]
    found: Figures = {
        "requests": one.requests + other.requests,
        "forgotten": one.forgotten + other.forgotten,
        "escalation_lag_p99_s": round(percentile(lags, 0.99), 3),
        "escalations": len(lags),
        **one.figures("driven"),
        **other.figures("real"),
        "real_answer_s": answer_s,
        "seed": chosen.seed,
    }
    if chosen.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name}: {value}" for name, value in found.items()))
    sys.exit(1 if found["forgotten"] else 0)


if __name__ == "__main__":
    main()
