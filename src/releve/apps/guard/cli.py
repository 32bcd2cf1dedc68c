"""`releve guard`: run the guard in the foreground, and speak to a running one."""

import os
import signal
import sys
import threading
from types import FrameType

import click

EXIT = """
EXIT STATUS: 0 ended by SIGTERM or Ctrl-C, 2 wrong call, 10 needs root, 12 file system cannot be
watched, 13 not a folder, 14 already guarded.
"""


@click.group()
def guard() -> None:
    """Holds every original, watches, stops what destroys, rolls back (le gardien)."""


@guard.command(epilog=EXIT)
@click.option("--protect", multiple=True, required=True, metavar="DIR", help="Folder to protect; may be repeated.")
@click.option("--enforce", is_flag=True, help="Act. Without it the guard only says what it would have stopped.")
@click.option("--store", default="", metavar="DIR", help="Where originals are held [default: root-only folder on the same file system].")
@click.option("--scope", default=0, metavar="PID", help="Send signals only inside the PID namespace of this process.")
@click.option("--portable", is_flag=True, help="No kernel help: originals held all the same, the writer named by best evidence.")
@click.option("--copy", is_flag=True, help="Hold copies even where clones work.")
@click.option("--care", multiple=True, metavar="EXE", help="Program that carries care: frozen and asked about, never killed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout (the contract for scripts).")
def run(  # noqa: PLR0913
    protect: tuple[str, ...], enforce: bool, store: str, scope: int, portable: bool, copy: bool,
    care: tuple[str, ...], as_json: bool,
) -> None:
    """Guard folders in the foreground until SIGTERM."""
    from releve.apps.guard.show import person_printer
    from releve.apps.guard.wiring import GuardConfig, build, line_printer

    sys.setswitchinterval(0.0001)  # three stages share one interpreter: none may wait 5 ms for another
    ending = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # lease probes must not kill us
    try:
        os.nice(-10)
    except OSError:
        pass  # an ordinary user may not: slower, not wrong
    config = GuardConfig(
        protect=protect, enforce=enforce, store=store, scope=scope, portable=portable, copy=copy,
        care_programs=care,
    )
    say = line_printer() if as_json else person_printer()
    watched, folders, where = build(config, say)
    watched.start(folders, os.getpid(), where)
    while not ending.wait(1.0):
        pass
    watched.close()
