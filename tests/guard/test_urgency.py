"""Which threads come before other programs, asked of the kernel."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_ASKED = """
import json, os, subprocess, sys, threading
from releve.adapters.linux.urgency import Urgency
from releve.flow.ports import Share

urgency, begun, over = Urgency(), threading.Event(), threading.Event()

def read():
    urgency.comes_first()
    begun.set()
    over.wait()

reader = threading.Thread(target=read)
reader.start()
begun.wait()
main, seen = os.getpid(), {}
for share in (Share.USUAL, Share.LEAST, Share.MOST):
    urgency(share)
    threads = {"reader": reader.native_id, "main": main}
    seen[share.name] = {
        name: [os.sched_getscheduler(i) & ~os.SCHED_RESET_ON_FORK, os.getpriority(os.PRIO_PROCESS, i)]
        for name, i in threads.items()
    }
child = "import os; print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"
out = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout
seen["child"] = [int(word) for word in out.split()]
over.set()
print(json.dumps(seen))
"""


def _may() -> bool:
    try:
        policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        os.sched_setscheduler(0, policy, param)
    except PermissionError:
        return False
    return True


def _asked(first: str = "") -> dict[str, dict[str, list[int]] | list[int]]:
    run = subprocess.run(
        [sys.executable, "-c", first + _ASKED],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    seen: dict[str, dict[str, list[int]] | list[int]] = json.loads(run.stdout)
    return seen


@pytest.mark.skipif(not _may(), reason="no right to real-time priority here: needs root")
def test_in_an_attack_all_threads_come_first_and_in_a_storm_the_reader() -> None:
    seen = _asked()
    in_turn = {"reader": [os.SCHED_OTHER, -10], "main": [os.SCHED_OTHER, -10]}
    assert seen["USUAL"] == in_turn
    assert seen["LEAST"] == {"reader": [os.SCHED_RR, 0], "main": [os.SCHED_OTHER, 0]}
    assert seen["MOST"] == {"reader": [os.SCHED_RR, -15], "main": [os.SCHED_RR, -15]}


@pytest.mark.skipif(not _may(), reason="no right to real-time priority here: needs root")
def test_what_the_guard_starts_does_not_inherit_it() -> None:
    assert _asked()["child"] == [os.SCHED_OTHER, 0]


@pytest.mark.skipif(not _may(), reason="no right to real-time priority here: needs root")
def test_where_the_kernel_keeps_no_reserve_nothing_is_real_time(tmp_path: Path) -> None:
    (off := tmp_path / "sched_rt_runtime_us").write_text("-1\n")
    first = f"""
from pathlib import Path
from releve.adapters.linux import urgency
urgency._RESERVE = Path({str(off)!r})
"""
    seen = _asked(first)
    assert seen["MOST"] == {"reader": [os.SCHED_OTHER, -15], "main": [os.SCHED_OTHER, -15]}
    assert seen["LEAST"] == {"reader": [os.SCHED_OTHER, 0], "main": [os.SCHED_OTHER, 0]}
