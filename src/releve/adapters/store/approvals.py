"""Approvals on disk: one JSON line each, append-only, beside a key that only root reads."""

import datetime as dt
import hashlib
import os
import secrets
from collections.abc import Callable, Sequence

import msgspec

from releve.model.approval import Approval
from releve.model.process import Process
from releve.respond.approvals import covering, sign

_decode = msgspec.json.Decoder(Approval).decode


class ApprovalFile:
    """The approvals of one store.

    Args:
        store: root-only folder of the guard.
    """

    def __init__(self, store: str) -> None:
        self._path = os.path.join(store, "approvals.jsonl")
        self._key_path = os.path.join(store, "approval.key")

    def _key(self) -> bytes:
        try:
            fd = os.open(self._key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            with open(self._key_path, "rb") as file:
                return file.read()
        key = secrets.token_bytes(32)
        with os.fdopen(fd, "wb") as file:
            file.write(key)
        return key

    def add(self, approval: Approval) -> Approval:
        """Sign and keep; the file is also the log of who allowed what until when."""
        signed = sign(approval, self._key())
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, msgspec.json.encode(signed) + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
        return signed

    def all(self) -> list[Approval]:
        """Every readable line; a damaged one covers nothing."""
        try:
            with open(self._path, "rb") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(_decode(line))
            except msgspec.MsgspecError:
                continue
        return found

    def covers(
        self, head: Process, programs: Sequence[Process], paths: Sequence[str], now: dt.datetime
    ) -> str:
        """A sentence naming the approval that covers this family, "" if none does.

        `programs` are the processes that wrote what nobody can read.
        """
        approvals = self.all()
        if not approvals or not paths:
            return ""
        found = covering(
            approvals,
            key=self._key(),
            user=head.uid,
            programs=programs,
            digest=_digest_of(programs),
            paths=paths,
            now=now,
        )
        return f"{found.by}, jusqu'au {found.until:%d/%m/%Y %H:%M} UTC" if found else ""


def _digest_of(programs: Sequence[Process]) -> Callable[[Process], str]:
    """The digest of what each runs; a program that runs many times is read once."""
    known: dict[tuple[int, int, int] | None, str] = {None: ""}

    def digest_of(process: Process) -> str:
        if process.exe_file not in known:
            same = [p for p in programs if p.exe_file == process.exe_file]
            known[process.exe_file] = next(filter(None, map(_digest_run, same)), "")
        return known[process.exe_file]

    return digest_of


def _digest_run(process: Process) -> str:
    """SHA-256 of the very file that it ran: by the process while it lives, else under its path.

    "" unless that file is still there as it was then. Content cannot change without its ctime.
    """
    for place in (f"/proc/{process.pid}/exe", process.exe):
        try:
            with open(place, "rb") as file:
                st = os.fstat(file.fileno())
                if (st.st_dev, st.st_ino, st.st_ctime_ns) != process.exe_file:
                    continue
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            continue
    return ""


def digest(path: str) -> str:
    """SHA-256 of a program, "" if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
