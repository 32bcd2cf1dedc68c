"""Keys of a backup repository: ports, errors, and the drivers that make, prove, lend and end them."""

import datetime as dt
import re
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import Protocol

import msgspec

from releve.flow.backup import WrongPasswordError
from releve.flow.clock import Clock
from releve.model.backup import Snapshot
from releve.model.errors import ReleveError
from releve.model.keys import (
    Envelope,
    KeyBook,
    KeyKind,
    KnownKey,
    PaperKey,
    Place,
    Proof,
    RepositoryKey,
    Retired,
)
from releve.recover.paper import SECRET_BYTES, mark_of, password_of, rows_of

NEEDED, SHARES = 2, 3
PROOF_LASTS = dt.timedelta(days=183)  # a paper that nobody tried for half a year proves nothing
_GENERATION = re.compile(r"\d{4}-\d{2}(-\d+)?")


class PaperKeyRefusedError(ReleveError):
    """The paper is well typed, but its key does not open this repository."""

    status = 4
    remedy = "Look at host, generation and mark on the sheet; if they are right, print a new one: `releve key sheet`."

    def __init__(self, mark: str, url: str) -> None:
        super().__init__(f"The key of mark {mark} does not open {url}.")
        self.mark = mark


class EnvelopeError(ReleveError):
    """The envelope with the drill key gives no key."""

    status = 6
    remedy = "Ask the structure for a new one: `releve key escrow add` on the host."

    def __init__(self, envelope: str, why: str, remedy: str = "") -> None:
        super().__init__(f"Envelope {envelope} {why}.")
        self.envelope = envelope
        if remedy:
            self.remedy = remedy


class Ring(Protocol):
    """The keys of one repository; opened by one of them."""

    def keys(self) -> list[RepositoryKey]: ...
    def add(self, password: str, label: str) -> str:
        """Add a key; its id. Existing ones stay: an append-only server removes none."""

    def snapshots(self) -> list[Snapshot]: ...
    def init(self) -> bool: ...


class Books(Protocol):
    """Keeps the book, and a log that only grows."""

    def load(self) -> KeyBook: ...
    def save(self, book: KeyBook) -> None: ...
    def note(self, what: str, **facts: str) -> None:
        """One dated line, on disk before returning; never a secret."""


class Sealer(Protocol):
    """Wraps for one public key."""

    to: str  # its fingerprint

    def seal(self, secret: str, about: bytes) -> bytes: ...


class Opener(Protocol):
    """Unwraps with the private key."""

    to: str

    def open(self, sealed: bytes, about: bytes) -> str | None:
        """None: made for another key, or changed on the way."""


class Chance(Protocol):
    def bytes(self, count: int) -> bytes: ...


Split = Callable[[bytes], Sequence[str]]  # a secret into SHARES texts, any NEEDED of which give it


class Keys:
    """The keys of the repository that this host backs up to."""

    def __init__(
        self, place: Place, ring: Ring, books: Books, *, clock: Clock, chance: Chance
    ) -> None:
        self._place, self._ring, self._books = place, ring, books
        self._clock, self._chance = clock, chance

    def sheets(self, *, split: Split | None = None, call: str = "") -> list[PaperKey]:
        """Add a recovery key to the repository; what the sheets show. It is kept nowhere else."""
        secret = self._chance.bytes(SECRET_BYTES)
        mark, now = mark_of(secret), self._clock.now()
        rows = rows_of(secret)
        shared = [tuple(text.split()) for text in split(secret)] if split else []
        key = self._ring.add(password_of(rows), f"papier-{mark}")
        known = KnownKey(
            id=key,
            kind=KeyKind.PAPER,
            generation=self._place.generation,
            made_at=now,
            mark=mark,
            shares=len(shared),
        )
        self._remember(known, "key:paper:made", mark=mark)
        sheet = PaperKey(place=self._place, made_at=now, mark=mark, call=call)
        if not shared:
            return [msgspec.structs.replace(sheet, rows=rows)]
        return [
            msgspec.structs.replace(
                sheet, words=words, number=number, shares=len(shared), needed=NEEDED
            )
            for number, words in enumerate(shared, 1)
        ]

    def escrow(self, sealer: Sealer, lasts: dt.timedelta) -> Envelope:
        """Add a key for drills and wrap it; its clear text is gone when this returns."""
        now = self._clock.now()
        secret = self._chance.bytes(32).hex()
        key = self._ring.add(secret, f"essai-{sealer.to}")
        envelope = Envelope(
            id=f"{self._place.generation}-{key}",
            structure=self._place.structure,
            host=self._place.host,
            generation=self._place.generation,
            url=self._place.url,
            key=key,
            to=sealer.to,
            made_at=now,
            expires_at=now + lasts,
            sealed=b"",
        )
        envelope = msgspec.structs.replace(envelope, sealed=sealer.seal(secret, about(envelope)))
        known = KnownKey(
            id=key,
            kind=KeyKind.ESCROW,
            generation=envelope.generation,
            made_at=now,
            to=sealer.to,
        )
        self._remember(known, "key:escrow:made", envelope=envelope.id, to=sealer.to)
        book = self._books.load()
        self._books.save(msgspec.structs.replace(book, envelopes=(*book.envelopes, envelope)))
        return envelope

    def revoke(self, envelope: str, why: str) -> Envelope:
        """Mark it as revoked, dated. Whoever unwrapped it before still has the key: then rotate.

        Raises: EnvelopeError.
        """
        book, now = self._books.load(), self._clock.now()
        found = next((one for one in book.envelopes if one.id == envelope), None)
        if found is None:
            raise EnvelopeError(envelope, "was never made on this host")
        ended = msgspec.structs.replace(found, revoked_at=found.revoked_at or now, revoked_why=why)
        kept = tuple(ended if one.id == envelope else one for one in book.envelopes)
        self._books.save(msgspec.structs.replace(book, envelopes=kept))
        self._books.note("key:escrow:revoked", envelope=envelope, why=why)
        return ended

    def retire(self, why: str) -> None:
        """Note that the next generation is in use; this one's keys open it as before."""
        place, book = self._place, self._books.load()
        gone = Retired(generation=place.generation, url=place.url, at=self._clock.now(), why=why)
        self._books.save(msgspec.structs.replace(book, retired=(*book.retired, gone)))
        self._books.note("key:generation:retired", generation=place.generation, why=why)

    def _remember(self, key: KnownKey, what: str, **facts: str) -> None:
        book = self._books.load()
        self._books.save(msgspec.structs.replace(book, keys=(*book.keys, key)))
        self._books.note(what, key=key.id, generation=key.generation, **facts)


def prove(ring: Ring, books: Books, clock: Clock, place: Place, secret: bytes, how: str) -> Proof:
    """Open the real repository by the paper's key alone, and record it.

    Raises: PaperKeyRefusedError, and those of the backup server.
    """
    mark, started = mark_of(secret), monotonic()
    try:
        keys, snapshots = ring.keys(), ring.snapshots()
    except WrongPasswordError as error:
        books.note("key:paper:refused", mark=mark, generation=place.generation)
        raise PaperKeyRefusedError(mark, place.url) from error
    proof = Proof(
        at=clock.now(),
        generation=place.generation,
        key=next((key.id for key in keys if key.current), ""),
        mark=mark,
        how=how,
        snapshots=len(snapshots),
        newest_at=max((one.at for one in snapshots), default=None),
        ms=(monotonic() - started) * 1000,
    )
    book = books.load()
    books.save(msgspec.structs.replace(book, proofs=(*book.proofs, proof)))
    books.note("key:paper:proved", mark=mark, key=proof.key, generation=place.generation)
    return proof


def open_envelope(envelope: Envelope, opener: Opener, now: dt.datetime) -> str:
    """The drill key of an envelope that is in force.

    Raises: EnvelopeError.
    """
    if envelope.revoked_at is not None and envelope.revoked_at <= now:
        raise EnvelopeError(envelope.id, f"was revoked on {envelope.revoked_at:%Y-%m-%d}")
    if now >= envelope.expires_at:
        raise EnvelopeError(envelope.id, f"expired on {envelope.expires_at:%Y-%m-%d}")
    if envelope.to != opener.to:
        raise EnvelopeError(envelope.id, f"is for the key {envelope.to}, not {opener.to}")
    secret = opener.open(envelope.sealed, about(envelope))
    if secret is None:
        raise EnvelopeError(envelope.id, "was changed: its seal does not fit what it says")
    return secret


def about(envelope: Envelope) -> bytes:
    """What the seal binds: everything that does not change later."""
    bound = msgspec.structs.replace(envelope, sealed=b"", revoked_at=None, revoked_why="")
    return b"releve escrow 1\0" + msgspec.json.encode(bound)


def next_generation(now: dt.datetime, taken: Collection[str]) -> str:
    """YYYY-MM, with a number when the month has had one already."""
    month, number = f"{now:%Y-%m}", 1
    while (name := month if number == 1 else f"{month}-{number}") in taken:
        number += 1
    return name


def is_generation(word: str) -> bool:
    return _GENERATION.fullmatch(word) is not None


class Standing(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="key_status"):
    """What there is to know about the keys today; `lacks` are codes, worst first.

    `offers`: what may be had besides, and nobody has to: drills run on the host with its own key.
    """

    place: Place
    keys: tuple[KnownKey, ...]
    last_proof: Proof | None
    envelopes: tuple[Envelope, ...]
    lacks: tuple[str, ...]
    offers: tuple[str, ...] = ()


def standing(place: Place, book: KeyBook, now: dt.datetime) -> Standing:
    """Of the generation in use; older ones keep their sheets."""
    keys = tuple(key for key in book.keys if key.generation == place.generation)
    # A paper of another host may have been tried here, of a generation of the same name.
    papers = {key.id for key in keys if key.kind is KeyKind.PAPER}
    proofs = [
        one for one in book.proofs if one.generation == place.generation and one.key in papers
    ]
    last = max(proofs, key=lambda proof: proof.at, default=None)
    envelopes = tuple(one for one in book.envelopes if one.generation == place.generation)
    live = [one for one in envelopes if one.revoked_at is None and now < one.expires_at]
    lacks = []
    if not papers:
        lacks.append("no_paper")
    elif last is None:
        lacks.append("paper_never_tried")
    elif now - last.at > PROOF_LASTS:
        lacks.append("paper_tried_long_ago")
    # Who ever had a clean room expects it to open what is backed up now; others need none.
    uses_a_room = bool(book.envelopes)
    if not live and uses_a_room:
        lacks.append("no_escrow")
    return Standing(
        place=place,
        keys=keys,
        last_proof=last,
        envelopes=envelopes,
        lacks=tuple(lacks),
        offers=() if uses_a_room else ("escrow",),
    )
