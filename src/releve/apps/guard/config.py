"""What the two modes of the guard share: what was asked for, and the small parts of both."""

import os
import traceback
import zlib
from collections.abc import Callable, Sequence

import msgspec

from releve.adapters.private import is_read_only
from releve.detect.ransom.limits import Limits
from releve.flow.guard.respond.hindered import read_only
from releve.model.process import Process


class GuardConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `releve guard run` was asked to do."""

    protect: tuple[str, ...] = ()
    enforce: bool = False
    store: str = ""
    scope: int = 0
    portable: bool = False
    copy: bool = False
    care_programs: tuple[str, ...] = ()
    never_block: tuple[str, ...] = ()  # servers of this host: ADDRESS, NAME or URL
    box: str = ""  # home of a file server whose shares are guarded too
    limits: Limits = Limits()


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The guard, and how its process goes about it."""

    guard: GuardConfig
    enforce_after_s: float = 0.0  # so long it only watches; 0: what `guard` says from the start
    canaries: bool = False
    as_json: bool = False
    called: str = "releve"  # the command, as it was called


class NoContain:
    """No remote clients on this host."""

    def serves(self, head: Process) -> bool:
        del head
        return False

    def client(self, process: Process) -> str:
        del process
        return ""

    def user(self, process: Process) -> str:
        del process
        return ""

    def is_blocked(self, process: Process) -> bool:
        del process
        return False

    def is_nameless(self, process: Process) -> bool:
        del process
        return False

    def has_blocked(self) -> bool:
        return False

    def block(self, head: Process) -> str:
        del head
        return ""

    def close(self) -> None: ...


def say_read_only(folders: Sequence[str], say: Callable[[object], None]) -> None:
    """A folder that nobody can write to needs no guard now, but will when that ends."""
    for folder in folders:
        if is_read_only(folder):
            say(read_only(folder))


def hash_name(folder: str) -> int:
    """A number that stays the same for one path (Python's own hash does not)."""
    return zlib.crc32(os.fsencode(folder))


def report_bug(error: Exception) -> None:
    """A bug keeps its traceback, on stderr; the guard goes on."""
    traceback.print_exception(error)
