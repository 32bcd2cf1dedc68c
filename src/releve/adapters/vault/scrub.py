"""The scrub: every object read and compared with its receipt, without any key. Resumable."""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from releve.adapters.durable import write
from releve.adapters.vault.layout import Layout, object_in
from releve.flow.vault.book import Book
from releve.model.vault import AnyEntry, ObjectKind, Receipt
from releve.recover.verified import Pass, kept

_BLOCK = 1 << 20
_SAVED_EVERY_S = 5.0


class Bad(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is not what was received."""

    repository: str
    kind: str
    name: str
    seq: int
    why: str  # "missing", "size", "content", "unreadable"


class Scrub(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="scrub"):
    """How far a scrub is; kept in DATA/scrub.json, so that the next call goes on."""

    started_ns: int
    last_seq: int = 0  # all receipts up to here were looked at
    until_seq: int = 0  # the end of the chain when it began
    objects: int = 0
    bytes: int = 0
    seconds: float = 0.0  # of work, over all calls
    bad: tuple[Bad, ...] = ()
    ended_ns: int = 0
    passes: tuple[Pass, ...] = ()  # what was read when, of earlier scrubs too

    @property
    def mb_per_s(self) -> float:
        return round(self.bytes / 1e6 / self.seconds, 1) if self.seconds else 0.0


def load(layout: Layout) -> Scrub | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(layout.scrub_file.read_bytes(), type=Scrub)
    return None


def run(
    layout: Layout,
    entries: Iterable[AnyEntry],
    book: Book,
    begun: Scrub,
    *,
    now_ns: Callable[[], int],
    tell: Callable[[Scrub], object] = lambda _: None,
    seconds: float = 0.0,
) -> Scrub:
    """Look at every standing receipt after `begun.last_seq`; the state is saved now and then.

    Args:
        seconds: stop after so long, 0: at the end. The next call goes on from there.
    """
    at, started, began_ns = begun, time.monotonic(), now_ns()
    saved = started
    buffer = bytearray(_BLOCK)
    for entry in entries:
        if entry.seq <= at.last_seq or entry.seq > at.until_seq:
            continue
        at = _looked(layout, book, entry, at, buffer)
        now = time.monotonic()
        if now - saved > _SAVED_EVERY_S:
            saved = now
            told = msgspec.structs.replace(at, seconds=begun.seconds + now - started)
            told = _with_pass(told, begun, began_ns)
            write(layout.scrub_file, msgspec.json.encode(told))
            tell(told)
        if seconds and now - started > seconds:
            break
    spent = begun.seconds + time.monotonic() - started
    ended = now_ns() if at.last_seq >= at.until_seq else 0
    at = msgspec.structs.replace(at, seconds=spent, ended_ns=ended)
    at = _with_pass(at, begun, began_ns)
    write(layout.scrub_file, msgspec.json.encode(at))
    return at


def begin(before: Scrub | None, started_ns: int, until_seq: int) -> Scrub:
    """A new scrub; what earlier ones read, and when, is kept."""
    passes = before.passes if before else ()
    return Scrub(started_ns=started_ns, until_seq=until_seq, passes=passes)


def _with_pass(at: Scrub, begun: Scrub, began_ns: int) -> Scrub:
    """With what this call has read so far."""
    if at.last_seq == begun.last_seq:
        return at
    bad = tuple(one.seq for one in at.bad[len(begun.bad) :])
    read = Pass(after_seq=begun.last_seq, to_seq=at.last_seq, at_ns=began_ns, bad=bad)
    return msgspec.structs.replace(at, passes=kept((*begun.passes, read), began_ns))


def _looked(layout: Layout, book: Book, entry: AnyEntry, at: Scrub, buffer: bytearray) -> Scrub:
    passed = msgspec.structs.replace(at, last_seq=entry.seq)
    if not isinstance(entry, Receipt):
        return passed
    held = book.held(entry.repository, entry.kind, entry.name)
    if held is None or held.seq != entry.seq:
        return passed  # its generation was dropped since
    why = _why_bad(layout.repository(entry.repository), entry, buffer)
    bad = at.bad
    if why:
        bad = (
            *bad,
            Bad(
                repository=str(entry.repository),
                kind=entry.kind,
                name=entry.name,
                seq=entry.seq,
                why=why,
            ),
        )
    return msgspec.structs.replace(
        passed, objects=at.objects + 1, bytes=at.bytes + entry.size, bad=bad
    )


def _why_bad(folder: Path, receipt: Receipt, buffer: bytearray) -> str:
    """Empty when the object is what was received."""
    digest, size = hashlib.sha256(), 0
    try:
        with object_in(folder, receipt.kind, receipt.name).open("rb", buffering=0) as file:
            while read := file.readinto(buffer):
                digest.update(memoryview(buffer)[:read])
                size += read
            # What was read will not be needed soon: leave the memory to the host's work.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
    if size != receipt.size:
        return "size"
    is_same = digest.hexdigest() == receipt.sha256
    is_named = receipt.kind is ObjectKind.CONFIG or receipt.sha256 == receipt.name
    return "" if is_same and is_named else "content"
