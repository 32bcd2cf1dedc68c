"""On which processor the guard works: by what others use, and asked of the kernel."""

import json
import os
import subprocess
import sys

import pytest

from releve.adapters.linux.processors import Processors, busy_seconds, least_used

_STAT = """cpu  107517 303 48155 670730 3913 0 1572 139 0 0
cpu0 38743 139 21656 353283 1780 0 367 66 5 0
cpu12 100 0 0 900 100 0 0 0 0 0
intr 1 2 3
ctxt 5
"""
_ASKED = """
import json, os, sys, threading, time
from releve.adapters.linux.urgency import Urgency
from releve.flow.ports import Share

allowed = os.sched_getaffinity(0)
urgency, over = Urgency(), threading.Event()
threading.Thread(target=over.wait).start()

def where():
    return [sorted(os.sched_getaffinity(int(name))) for name in os.listdir("/proc/self/task")]

def settle():
    time.sleep(0.6)
    urgency.settle()
    return where()

seen = {"before": settle()}
urgency(Share.USUAL)
seen["usual"] = where()
urgency(Share.MOST)
seen["most"] = where()
urgency(Share.LEAST)
seen["least"] = where()
over.set()
print(json.dumps(seen))
"""


def test_the_seconds_in_which_a_processor_had_something_to_do() -> None:
    tick = 1 / os.sysconf("SC_CLK_TCK")
    found = busy_seconds(_STAT)
    assert found[0] == pytest.approx((38743 + 139 + 21656 + 367 + 66) * tick)
    assert found[12] == pytest.approx(100 * tick)
    assert found.keys() == {0, 12}


def test_the_one_that_others_use_least_and_of_equals_the_last() -> None:
    assert least_used({0: 0.9, 1: 0.1}) == {1}
    assert least_used({0: 0.1, 1: 0.9}) == {0}
    assert least_used({0: 0.02, 1: 0.0, 2: 0.2, 3: 0.9}) == {2}  # a little more is no more
    assert least_used({0: -0.05, 1: 0.0}) == {1}  # rounding of the system's counts


def test_where_others_use_all_of_them_the_system_chooses() -> None:
    assert least_used({0: 1.0, 1: 0.6}) == {0, 1}


def test_where_the_system_does_not_tell_what_is_used_none_is_chosen(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("releve.adapters.linux.processors._STAT", tmp_path / "none")
    monkeypatch.setattr("releve.adapters.linux.processors._LEAST_S", 0.0)
    processors = Processors()
    assert not processors.choose()
    assert processors.chosen == processors.allowed


def test_it_leaves_the_processor_that_somebody_else_takes() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        pytest.skip("one processor: nothing to choose")
    processors = Processors()
    taken = allowed[-1]
    spin = f"import os\nos.sched_setaffinity(0, {{{taken}}})\nprint(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        processors.choose()
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.6)
        processors.choose()
        other.kill()
    assert processors.chosen != {taken}


def test_all_threads_are_on_one_processor_but_in_an_attack_on_all() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _ASKED], capture_output=True, text=True, check=True, timeout=60
    )
    seen = json.loads(run.stdout)
    everywhere = sorted(os.sched_getaffinity(0))
    assert all(where == everywhere for where in seen["before"] + seen["most"])
    assert len(seen["usual"]) >= 2
    assert seen["usual"] == seen["least"]
    for where in seen["usual"]:  # one of them; all where others use all of them just now
        assert len(where) == 1 or where == everywhere
    assert all(where == seen["usual"][0] for where in seen["usual"])
