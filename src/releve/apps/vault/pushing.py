"""A bucket as a copy of this vault: what is new by receipts is put there, locked; chain and heads too."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator

import msgspec

from releve.adapters.vault.s3 import Bucket
from releve.apps.vault.copies import Copies
from releve.apps.vault.opened import Vault
from releve.flow.vault.copying import called
from releve.model.copies import Checked, Copy, Ran
from releve.model.vault import Receipt

_SAVED_EVERY = 50
Tell = Callable[[int, int], object]


class Push:
    """One run of one copy of the kind `s3`."""

    def __init__(self, vault: Vault, copies: Copies, copy: Copy) -> None:
        self._vault, self._copies, self._copy = vault, copies, copy
        self._bucket = Bucket(copy)
        self._progress = copies.progress(copy.name)

    def run(self, tell: Tell = lambda _done, _all: None) -> Ran:
        """Put what is new. Raises: CopyUnreachableError; what was put stays and is not put again."""
        until, before = self._vault.book.seq, self._progress
        owed = set(before.owed)
        wanted = [r for r in self._standing(until) if r.seq > before.done_seq or r.seq in owed]
        lost: dict[int, str] = {}
        brought = size = 0
        for done, receipt in enumerate(wanted):
            tell(done, len(wanted))
            path = self._vault.layout.object(receipt.repository, receipt.kind, receipt.name)
            if self._is_there(receipt):
                pass  # put before a crash
            elif not path.is_file() or path.stat().st_size != receipt.size:
                lost[receipt.seq] = f"{called(receipt)}: not as received here"
            else:
                self._bucket.put(self._bucket.key(receipt), path)
                brought, size = brought + 1, size + receipt.size
            if done % _SAVED_EVERY == 0:
                later = {seq: "" for seq in owed if seq >= receipt.seq}
                self._keep(done_seq=max(before.done_seq, receipt.seq - 1), owed=later | lost)
        self._chain(before.seq, until)
        self._progress = msgspec.structs.replace(
            self._progress,
            objects=self._progress.objects + brought,
            bytes=self._progress.bytes + size,
            ran_ns=self._vault.clock.now_ns(),
            seq=until,
        )
        self._keep(done_seq=until, owed=lost)
        tell(len(wanted), len(wanted))
        return Ran(objects=brought, bytes=size, last_seq=until, lost=tuple(lost.values()))

    def verify(self, *, read: bool) -> Checked:
        """Whether the bucket has each object at its size, locked; with `read` its content too."""
        missing, bad, count, size, waiting = [], [], 0, 0, 0
        now = dt.datetime.fromtimestamp(self._vault.clock.wall_ns() / 1e9, dt.UTC)
        for receipt in self._standing(self._vault.book.seq):
            if receipt.seq > self._progress.done_seq:
                waiting += 1
                continue
            count, size = count + 1, size + receipt.size
            key = self._bucket.key(receipt)
            version = self._bucket.first_version(key)
            if version is None:
                missing.append(called(receipt))
                continue
            until = self._bucket.locked_until(key, version["VersionId"])
            digest = hashlib.sha256()
            for piece in self._bucket.fetch(receipt) if read else ():
                digest.update(piece)
            if version["Size"] != receipt.size or (read and digest.hexdigest() != receipt.sha256):
                bad.append(called(receipt))
            elif until is None or until < now:
                bad.append(f"{called(receipt)}: not locked")
        return Checked(
            objects=count, bytes=size, missing=tuple(missing), bad=tuple(bad), waiting=waiting
        )

    def _is_there(self, receipt: Receipt) -> bool:
        version = self._bucket.first_version(self._bucket.key(receipt))
        return version is not None and version["Size"] == receipt.size

    def _chain(self, after: int, until: int) -> None:
        """The journal's new lines and the newest head, locked like the objects."""
        if until <= after:
            return
        with self._vault.layout.journal.open("rb") as file:
            lines = [line for seq, line in enumerate(file, start=1) if after < seq <= until]
        self._bucket.put(self._bucket.named(f"receipts/{after + 1}-{until}.jsonl"), b"".join(lines))
        clock, end = self._vault.clock, self._vault.journal.end
        self._vault.heads().sign(end, clock.now_ns(), clock.wall_ns())
        latest = self._vault.layout.heads / "latest.json"
        self._bucket.put(self._bucket.named(f"heads/{end.seq}.json"), latest.read_bytes())

    def _standing(self, until: int) -> Iterator[Receipt]:
        dropped = {known.repository for known in self._vault.book.generations() if known.dropped_ns}
        for entry in self._vault.entries():
            if entry.seq <= until and isinstance(entry, Receipt):
                if entry.repository not in dropped:
                    yield entry

    def _keep(self, *, done_seq: int, owed: dict[int, str]) -> None:
        self._progress = msgspec.structs.replace(
            self._progress, done_seq=done_seq, owed=tuple(sorted(owed))
        )
        self._copies.keep_progress(self._copy.name, self._progress)
