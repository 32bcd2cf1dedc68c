"""The agent's and the server's log goes to standard error, and is no reason to die."""

import subprocess
import sys

CODE = """
import os, sys
import structlog
from releve.adapters.system import log_to_stderr
log_to_stderr()
log = structlog.get_logger()
log.warning("heard", n=1)
sys.stdin.readline()
for n in range(20):
    log.warning("unheard" * 1000, n=n)
print("still here", flush=True)
os._exit(0)
"""


def test_a_log_that_nobody_reads_any_more_stops_nothing() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CODE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stderr is not None
        assert program.stdin is not None
        assert program.stdout is not None
        assert "heard" in program.stderr.readline()
        program.stderr.close()
        program.stdin.write("go on\n")
        program.stdin.flush()
        assert program.stdout.readline() == "still here\n"
        assert program.wait(20) == 0


SENT = """
import structlog
from releve.adapters.system import log_to_stderr
log_to_stderr()
structlog.get_logger().warning("refused", agent="x\\n2026 [error] forged\\x1b[2J\\x9b", n=1)
"""


def test_what_somebody_sent_stays_on_its_line_and_commands_no_terminal() -> None:
    said = subprocess.run([sys.executable, "-c", SENT], capture_output=True, text=True, check=True)
    assert said.stderr.count("\n") == 1
    assert "\\n2026 [error] forged\\x1b[2J\\x9b" in said.stderr
    assert "\x1b" not in said.stderr
