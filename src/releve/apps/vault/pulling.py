"""This vault as the copy of another: the source's chain is mirrored, then what is new is brought."""

import os
import shutil
from collections.abc import Callable, Iterator

import msgspec
import structlog

from releve.adapters.vault import placing
from releve.adapters.vault.journal import entries as entries_of
from releve.adapters.vault.remote import Remote
from releve.apps.vault.copies import Copies
from releve.apps.vault.opened import Vault
from releve.flow.vault import copying
from releve.flow.vault.copying import CopySourceError, CopyUnreachableError, ReplicaError, called
from releve.flow.vault.names import is_place
from releve.model.copies import Checked, Copy, Progress, Ran
from releve.model.vault import AnyEntry, CredentialKind, ObjectKind, Receipt, Repository

log = structlog.get_logger()
_BATCH = 64
Tell = Callable[[int, int], object]


class Pull:
    """One run of one copy of the kind `source`."""

    def __init__(self, vault: Vault, copies: Copies, copy: Copy) -> None:
        self._vault, self._copies, self._copy = vault, copies, copy
        self._progress = copies.progress(copy.name)
        self._waiting: list[Receipt] = []
        self._lost: dict[int, str] = {}
        self._brought = self._bytes = 0
        self._enrolled = {
            (held.structure, held.host)
            for held in vault.credentials.all()
            if held.kind is CredentialKind.INGEST
        }

    def run(self, tell: Tell = lambda _done, _all: None) -> Ran:
        """Mirror the chain, bring every receipted object that is not here.

        A source that lost or changed anything is told; what can be had is brought all the same.
        Raises: CopyUnreachableError, CopySourceError.
        """
        with Remote(self._copy) as remote:
            self._mirror(remote)
            self._bring(remote, tell)
        self._keep()
        ran = Ran(
            objects=self._brought,
            bytes=self._bytes,
            last_seq=self._progress.seq,
            lost=tuple(self._lost.values()),
        )
        for name in ran.lost[:20]:
            whose = name.partition("/")[0]
            self._vault.notices.tell(
                "copy_source_lost", name, copy=self._copy.name, structure=whose
            )
        return ran

    def verify(self, *, read: bool) -> Checked:
        """Whether this vault has what the mirrored chain says; with `read` every content."""
        missing, bad, count, size = [], [], 0, 0
        for receipt in self._standing():
            path = self._vault.layout.object(receipt.repository, receipt.kind, receipt.name)
            count, size = count + 1, size + receipt.size
            if not path.is_file():
                missing.append(called(receipt))
            elif path.stat().st_size != receipt.size or (
                read and not placing.is_as_received(path, receipt)
            ):
                bad.append(called(receipt))
        return Checked(objects=count, bytes=size, missing=tuple(missing), bad=tuple(bad))

    def _mirror(self, remote: Remote) -> None:
        """Take the source's new lines in, durably, once they are proved to follow."""
        path = self._copies.mirror(self._copy.name)
        head = remote.head()
        new: list[bytes] = []
        # What it received since its head comes with the next run: else it could go on for ever.
        while self._progress.seq + len(new) < head.seq and (
            lines := remote.lines(self._progress.offset + sum(map(len, new)))
        ):
            new += lines
        moved, why = copying.take_lines(self._progress, new, head)
        if why:
            self._vault.notices.tell("copy_source_changed", self._copy.name, why=why)
            raise CopySourceError(self._copy.name, why)
        with path.open("ab") as file:
            file.truncate(self._progress.offset)  # what a crash left half-way
            file.write(b"".join(new))
            file.flush()
            os.fsync(file.fileno())
        self._progress = moved
        self._copies.keep_progress(self._copy.name, moved)

    def _bring(self, remote: Remote, tell: Tell) -> None:
        owed = set(self._progress.owed)
        wanted = [
            receipt
            for receipt in self._standing()
            if receipt.seq > self._progress.done_seq or receipt.seq in owed
        ]
        for done, receipt in enumerate(wanted):
            tell(done, len(wanted))
            self._one(remote, receipt)
            if len(self._waiting) >= _BATCH:
                self._keep_receipts()
        self._keep_receipts()
        self._progress = msgspec.structs.replace(
            self._progress, done_seq=self._progress.seq, owed=tuple(sorted(self._lost))
        )
        tell(len(wanted), len(wanted))

    def _one(self, remote: Remote, receipt: Receipt) -> None:
        if not is_place(receipt):  # mirrored by a version that did not look
            self._lost[receipt.seq] = f"entry {receipt.seq}: it names no object of a vault"
            return
        held = self._vault.book.held(receipt.repository, receipt.kind, receipt.name)
        if held is not None:
            if held.sha256 and held.sha256 != receipt.sha256:
                self._lost[receipt.seq] = f"{called(receipt)}: another config is here"
            return
        if not self._may_bring(receipt.repository):
            self._lost[receipt.seq] = f"{called(receipt)}: another one fills this host's place here"
            return
        path = self._vault.layout.object(receipt.repository, receipt.kind, receipt.name)
        if not placing.is_as_received(path, receipt):  # else a crash came before its receipt
            free = shutil.disk_usage(self._vault.layout.repos).free
            if free - receipt.size < self._vault.config.reserve_bytes:
                self._keep_receipts()
                self._vault.notices.tell("disk_full")
                raise CopyUnreachableError(self._copy.name, "the disk of this vault is full")
            try:
                placing.place(path, receipt, remote.fetch(receipt))
            except ReplicaError as error:
                self._lost[receipt.seq] = f"{called(receipt)}: {error}"
                return
            self._brought, self._bytes = self._brought + 1, self._bytes + receipt.size
        self._waiting.append(receipt)

    def _may_bring(self, where: Repository) -> bool:
        """Not where a host of our own, or of another source, was first: a strange index spoils it all."""
        first = self._vault.book.first_by(where.structure, where.host)
        if not first:
            return (where.structure, where.host) not in self._enrolled
        others = {own_name(copy.name) for copy in self._copies.all()} - {own_name(self._copy.name)}
        return first == own_name(self._copy.name) or (
            first.startswith(own_name("")) and first not in others
        )

    def _keep_receipts(self) -> None:
        """In our own chain, with our own time: a copy counts from when it was here."""
        own = [
            msgspec.structs.replace(
                receipt, seq=0, received_ns=0, previous="", hash="", by=own_name(self._copy.name)
            )
            for receipt in self._waiting
        ]
        if own:
            for where in {receipt.repository for receipt in own}:
                self._serve(where)
            self._vault.add(*own)
        self._waiting = []

    def _serve(self, where: Repository) -> None:
        """Let our own gate give it out: in need, this vault is restored from."""
        for kind in ObjectKind:
            if kind is not ObjectKind.CONFIG:
                folder = self._vault.layout.repository(where) / kind
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._vault.layout.serve(where)

    def _standing(self) -> Iterator[Receipt]:
        """The source's receipts whose generation stands there, and here if it ever was here."""
        path = self._copies.mirror(self._copy.name)
        if not path.exists():
            return
        gone = copying.gone(entries_of(path))
        dropped = {known.repository for known in self._vault.book.generations() if known.dropped_ns}
        for entry in entries_of(path):
            if not isinstance(entry, Receipt) or entry.repository in dropped:
                continue
            if gone.get(entry.repository, 0) < entry.seq:
                yield entry

    def _keep(self) -> None:
        self._progress = msgspec.structs.replace(
            self._progress,
            ran_ns=self._vault.clock.now_ns(),
            objects=self._progress.objects + self._brought,
            bytes=self._progress.bytes + self._bytes,
        )
        self._copies.keep_progress(self._copy.name, self._progress)


def own_name(copy: str) -> str:
    """Who brought it, as receipts say."""
    return f"copy:{copy}"


def entries(remote: Remote) -> Iterator[AnyEntry]:
    """All of another vault's chain, proved against its signed head, from its door.

    Raises: CopySourceError, CopyUnreachableError.
    """
    head, progress, taken = remote.head(), Progress(), list[bytes]()
    while len(taken) < head.seq and (lines := remote.lines(sum(map(len, taken)))):
        taken += lines
    _, why = copying.take_lines(progress, taken, head)
    if why:
        raise CopySourceError("vault", why)
    yield from copying.read_lines(taken)
