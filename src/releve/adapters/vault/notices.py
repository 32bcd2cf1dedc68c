"""Notices: what a structure or its operator must hear of, at once and on disk."""

import asyncio
import contextlib
import fcntl
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import structlog

from releve.adapters.durable import write
from releve.adapters.vault.server import Server
from releve.sense.vault_notice import leaving, whose

log = structlog.get_logger()
_AGAIN_NS = 3_600_000_000_000  # the same notice once an hour
_COMMAND_S = 30
_MOST = 200  # sent in one go: the next call goes on
_offsets = msgspec.json.Decoder(dict[str, int]).decode


class Notices:
    """Each is a line of DATA/notices.jsonl, then goes to the command and the server, if any.

    The server gets the lines from where it last said yes, so that none is lost while it is away.
    """

    def __init__(
        self,
        file: Path,
        now_ns: Callable[[], int],
        *,
        command: Sequence[str] = (),
        server: Server | None = None,
        key: bytes = b"",
    ) -> None:
        """Notices of one vault.

        Args:
            key: makes tokens of the places that a notice names; they do not leave the vault.
        """
        self._file, self._now_ns = file, now_ns
        self._command, self._server, self._key = tuple(command), server or Server(), key
        self._sent_file = file.with_name(f"{file.stem}-sent.json")
        self._told: dict[tuple[str, str, str], int] = {}
        self._under_way: set[asyncio.Future[None]] = set()
        # Its own threads: however slow a server is, receipts never wait for one of them.
        self._pool = ThreadPoolExecutor(2, "notices")
        if self._server and not self._sent_file.exists():
            # What was told before there was a server is not news to it.
            self._keep_sent(dict.fromkeys(self._server.tokens, self._size()))

    def tell(self, what: str, about: str = "", **facts: str) -> bool:
        """Keep the notice and send it; False when the same was told within the hour.

        Blocks for as long as the command and the server take: in a loop, use `tell_soon`.
        """
        record = self._kept(what, about, facts)
        if record is not None:
            self._send(record)
        return record is not None

    async def tell_soon(self, what: str, about: str = "", **facts: str) -> None:
        """Keep the notice, send it from a thread."""
        record = self._kept(what, about, facts)
        if record is not None and (self._command or self._server):
            sending = asyncio.get_running_loop().run_in_executor(self._pool, self._send, record)
            self._under_way.add(sending)
            sending.add_done_callback(self._under_way.discard)

    def deliver(self) -> None:
        """Send the server what it has not taken yet, in order; what fails is tried again next time."""
        if not self._server:
            return
        try:
            with self._alone() as is_ours:
                if is_ours:  # else another does it, and goes on to the newest
                    self._deliver_all()
        except OSError:  # a full disk: the server takes what it has already twice
            log.exception("notices_not_delivered")

    def _deliver_all(self) -> None:
        size = -1
        while size != self._size():  # more may come while this sends
            size, sent = self._size(), self._sent()
            for structure in self._server.tokens:
                # A structure that was added later hears of what comes from now on.
                sent[structure] = self._deliver(structure, sent.get(structure, size))
            self._keep_sent(sent)

    def _deliver(self, structure: str, begin: int) -> int:
        """The offset up to which everything was taken, or is of others."""
        done = begin if begin <= self._size() else 0  # a new file: told from its start
        if not self._file.exists():
            return 0
        with self._file.open("rb") as file:
            file.seek(done)
            for _ in range(_MOST):
                line = file.readline()
                if not line.endswith(b"\n") or not self._is_taken(line, structure):
                    break
                done += len(line)
        return done

    def _is_taken(self, line: bytes, structure: str) -> bool:
        try:
            record = json.loads(line)
        except ValueError:
            return True  # a line that a crash cut: nobody can read it
        if structure and whose(record) not in ("", structure):
            return True
        body = json.dumps(leaving(record, self._key), ensure_ascii=False).encode()
        answer = self._server.post("notices", body, structure)
        # Of one that is gone it waits here: a server that was brought back may know it again.
        return not answer.why or (answer.is_final and not answer.is_gone)

    def _kept(self, what: str, about: str, facts: dict[str, str]) -> dict[str, str | int] | None:
        now = self._now_ns()
        same = (what, about, facts.get("structure", ""))
        if now - self._told.get(same, -_AGAIN_NS) < _AGAIN_NS:
            return None
        self._told[same] = now
        record: dict[str, str | int] = {"notice": what, "at_ns": now, "about": about, **facts}
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line)
            os.fdatasync(handle)
        except OSError:
            log.exception("notice_not_kept", notice=what)
        finally:
            os.close(handle)
        log.warning("notice", **record)
        return record

    def _send(self, record: dict[str, str | int]) -> None:
        if self._command:
            body = json.dumps(record, ensure_ascii=False).encode()
            try:
                subprocess.run(self._command, input=body, timeout=_COMMAND_S, check=True)
            except (OSError, subprocess.SubprocessError) as error:
                log.warning("notice_command_failed", why=type(error).__name__)
        self.deliver()

    def _size(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0

    def _sent(self) -> dict[str, int]:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return _offsets(self._sent_file.read_bytes())
        return {}

    def _keep_sent(self, sent: dict[str, int]) -> None:
        write(self._sent_file, msgspec.json.encode(sent))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether nobody else sends now: nobody waits here while a server does not answer."""
        handle = os.open(self._sent_file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            yield False
            return
        try:
            yield True
        finally:
            os.close(handle)
