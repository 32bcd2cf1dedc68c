"""Nouns of the keys of a backup repository: what is known of each, never the key itself."""

import datetime as dt
from enum import StrEnum

import msgspec


class KeyKind(StrEnum):
    """Whose key it is. All of them open the same repository: restic wraps one master key in each."""

    HOST = "host"
    PAPER = "paper"
    ESCROW = "escrow"


class RepositoryKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the repository itself tells it; these facts are readable by whoever opens it."""

    id: str  # restic's, 8 hex digits
    label: str
    made_at: dt.datetime | None = None
    current: bool = False  # the one that opened the repository just now


class KnownKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as this host remembers it."""

    id: str
    kind: KeyKind
    generation: str
    made_at: dt.datetime
    mark: str = ""  # of a paper key: what the sheet shows to tell it from another; not secret
    shares: int = 0  # 0: on one sheet; 3: two of three sheets are needed
    to: str = ""  # of an escrow key: fingerprint of the public key that it is wrapped to


class Proof(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="key_proof"):
    """On that day, that paper opened the real repository."""

    at: dt.datetime
    generation: str
    key: str
    mark: str
    how: str  # "typed", "shares"
    snapshots: int
    newest_at: dt.datetime | None = None
    ms: float = 0.0


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A drill key that only the holder of a private key can take out.

    All but `sealed` and what concerns its end is bound to `sealed`: changed, it does not open.
    """

    version: int = 1
    id: str
    structure: str
    host: str
    generation: str
    url: str
    key: str
    to: str  # fingerprint of the public key
    made_at: dt.datetime
    expires_at: dt.datetime
    sealed: bytes  # HPKE (RFC 9180): X25519, HKDF-SHA256, AES-256-GCM
    revoked_at: dt.datetime | None = None
    revoked_why: str = ""


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that takes no more backups from this host."""

    generation: str
    url: str
    at: dt.datetime
    why: str


class KeyBook(msgspec.Struct, frozen=True, kw_only=True):
    """What this host remembers of its keys. Holds no secret."""

    version: int = 1
    keys: tuple[KnownKey, ...] = ()
    proofs: tuple[Proof, ...] = ()
    envelopes: tuple[Envelope, ...] = ()
    retired: tuple[Retired, ...] = ()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which repository the keys are of, as the sheets name it."""

    structure: str
    host: str
    generation: str
    url: str
    user: str = ""


class PaperKey(msgspec.Struct, frozen=True, kw_only=True):
    """What one sheet shows: rows of one key, or the words of one share."""

    place: Place
    made_at: dt.datetime
    mark: str
    rows: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    number: int = 0  # of a share, from 1
    shares: int = 0
    needed: int = 0
    call: str = ""  # whom to call, as the administrator gave it
