"""The unknown writer, and the processes that evidence names for it.

Every change comes from "the unknown writer": one record for all that happens in one stretch of
activity. At a conviction evidence may name a process; if it is clear, that one and its children are
stopped, else nobody is. What was done is undone in both cases.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final

from releve.adapters.portable.evidence import Clue, Evidence, Suspect
from releve.adapters.portable.probe import Probe, Seen
from releve.model.process import Process

_QUIET_S: Final = 60.0  # after so long without any change, points no longer add up ...
_LONGEST_S: Final = 600.0  # ... and not over longer than this: every program shares this record
_TICK_NS: Final = 10_000_000


class PortableProcesses:
    """Lineage by best evidence.

    Args:
        probe: questions about processes.
        evidence: what was seen of them while files changed.
    """

    attribution = "evidence"
    is_exact = False

    def __init__(self, probe: Probe, evidence: Evidence) -> None:
        self._probe, self._evidence = probe, evidence
        self._lock = threading.RLock()
        self._born_s = self._last_s = time.monotonic()
        self._named: dict[str, Suspect | None] = {}
        self._accused: dict[str, Process] = {}
        self._caught: dict[str, set[str]] = {}
        self.damaged: Callable[[Process], Collection[str]] = lambda _writer: ()
        self._writer = self._unknown(None)

    def _unknown(self, before: Process | None) -> Process:
        now = time.monotonic()
        self._born_s = self._last_s = now
        start = time.time_ns()
        if before is not None:
            start = max(start, before.start_ns + _TICK_NS)  # two records never share an id
        user = os.geteuid() if hasattr(os, "geteuid") else -1
        return Process(0, start, None, uid=user, program="(auteur inconnu)", known=False)

    def get(self, pid: int) -> Process:
        """The unknown writer of this stretch of activity, whatever the pid."""
        del pid
        with self._lock:
            now = time.monotonic()
            if now - self._last_s > _QUIET_S or now - self._born_s > _LONGEST_S:
                before = self._writer
                self._writer = self._unknown(before)
                # What an attack did before the change of record is undone with the rest.
                self._writer.children.append(before)
                before.children.clear()
            self._last_s = now
            return self._writer

    def renew(self, writer: Process) -> Process | None:
        """`writer` was convicted and all it did was noticed: from now on another record counts."""
        with self._lock:
            if writer is not self._writer:
                return None
            self._writer = self._unknown(writer)
            return self._writer

    # naming

    def accuse(self, writer: Process) -> None:
        """Look for the process behind the unknown writer."""
        if writer.known or writer.id in self._named:
            return
        since = self._probe.now_ns() - int((time.monotonic() - self._born_s) * 1e9)
        suspect = self._evidence.suspect(lambda: self.damaged(writer), since)
        self._named[writer.id] = suspect
        if suspect is None or not suspect.clear:
            return
        with self._lock:
            self._accused[writer.id] = self._process(suspect.seen)
        writer.program, writer.exe = suspect.seen.program, suspect.seen.exe

    def caught(self, writer: Process) -> None:
        """The family of `writer` was stopped: what it has open for writing now is its work."""
        found = self._caught.setdefault(writer.id, set())
        for process in self.members(writer):
            found |= self._evidence.open_for_writing(process.pid)

    def proved(self, writer: Process) -> frozenset[str]:
        """Paths that the named family had open for writing when it was stopped."""
        return frozenset(self._caught.get(writer.id, ()))

    def clues(self, writer: Process) -> tuple[tuple[Clue, ...], str, bool]:
        """Why somebody was named: the clues, the program, and whether they were clear."""
        suspect = self._named.get(writer.id)
        if suspect is None:
            return (), "", False
        return suspect.clues, suspect.seen.program, suspect.clear

    def _process(self, seen: Seen) -> Process:
        process = Process(
            seen.pid, seen.start_ns, None, uid=seen.uid, exe=seen.exe, program=seen.program
        )
        process.is_boundary = not seen.eligible
        return process

    def members(self, head: Process) -> list[Process]:
        """The accused and all living below it; nobody while nobody is accused."""
        first = head if head.known else self._accused.get(head.id)
        if first is None:
            return []
        return [p for p in self._family(first) if not p.is_boundary]

    def _family(self, first: Process) -> list[Process]:
        family = {first.pid: first}
        living = {
            pid: seen for pid in self._probe.pids() if (seen := self._probe.see(pid)) is not None
        }
        found = living.get(first.pid)
        if found is None or found.start_ns != first.start_ns:
            del family[first.pid]
        roots = {first.pid}
        grew = True
        while grew:
            grew = False
            for pid, seen in living.items():
                if seen.parent in roots and pid not in roots and seen.start_ns >= first.start_ns:
                    roots.add(pid)
                    family[pid] = self._process(seen)
                    grew = True
        return list(family.values())

    def stray_children(self, family: Iterable[Process]) -> list[Process]:
        """Children born while the family was being stopped."""
        known = {p.pid for p in family}
        found = [self._probe.see(pid) for pid in self._probe.pids() if pid not in known]
        strays = [
            self._process(seen) for seen in found if seen is not None and seen.parent in known
        ]
        return [p for p in strays if not p.is_boundary]
