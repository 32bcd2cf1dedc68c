"""Nouns of the vault: repositories, receipts and their chain, heads, credentials, openings.

On the vault's disk: DATA/repos/<structure>/<host>/<generation>/ are restic repositories,
DATA/receipts/ holds the one chain of entries, DATA/views/<id>/ are as-of views. Through the gate a
repository is https://HOST:PORT/<structure>/<host>/<generation>/, a view /views/<id>/.
"""

from enum import StrEnum

import msgspec

FIRST = "0" * 64  # `previous` of the first entry


class ObjectKind(StrEnum):
    """What restic keeps in a repository; locks come and go and get no receipt."""

    DATA = "data"
    INDEX = "index"
    SNAPSHOTS = "snapshots"
    KEYS = "keys"
    CONFIG = "config"
    LOCKS = "locks"


class Repository(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """One host's repository of one generation. Names are [a-z0-9][a-z0-9._-]*, never a kind's name."""

    structure: str
    host: str
    generation: str  # YYYY-MM or YYYY-MM-n; its age is its first receipt, never this name

    def __str__(self) -> str:
        return f"{self.structure}/{self.host}/{self.generation}"


class Entry(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", omit_defaults=True, gc=False
):
    """One link of the chain. `hash` is SHA-256 over the line without its hash; it covers `previous`."""

    seq: int = 0  # from 1; 0, like the empty hashes: not yet in the chain
    received_ns: int = 0  # vault's clock, Unix ns; grows with seq, whatever the wall clock does
    previous: str = ""
    hash: str = ""


class Receipt(Entry, frozen=True, kw_only=True, tag="receipt", omit_defaults=True, gc=False):
    """The vault has this object since `received_ns`; on disk before the client is told."""

    repository: Repository
    kind: ObjectKind
    name: str  # 64 hex digits; "config" for the config
    size: int
    sha256: str  # equals the name for all but the config
    by: str = ""  # credential; empty when found
    found: bool = False  # was on disk without a receipt; `received_ns` is when it was found


class Deed(Entry, frozen=True, kw_only=True, tag="deed", omit_defaults=True, gc=False):
    """Something done to the vault that its structure may ask about; in the same chain.

    `what` is actor:object:verb ("vault:generation:dropped", "person:restore:opened",
    "vault:clock:stepped", ...).
    """

    what: str
    structure: str = ""
    host: str = ""
    generation: str = ""
    by: str = ""
    about: dict[str, str] = {}


AnyEntry = Receipt | Deed


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the chain at a time: whoever keeps it can prove that nothing before it was removed."""

    vault: str  # fingerprint of the vault's public key, 16 hex digits
    seq: int
    hash: str
    at_ns: int  # vault's clock
    wall_ns: int  # wall clock, for whoever compares it with another


class SignedHead(msgspec.Struct, frozen=True, kw_only=True):
    """`head` is the exact bytes that were signed (JSON of a Head)."""

    head: bytes
    signature: bytes


class CredentialKind(StrEnum):
    INGEST = "ingest"  # adds; reads what a backup needs, `data` within a daily budget
    RESTORE = "restore"  # reads; opened for one incident, expires
    COPY = "copy"  # another vault's: reads journal and objects at the door for copies, nothing else


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a credential may use; 0: no limit."""

    quota_bytes: int = 0  # of its host's standing generations together
    bytes_per_s: int = 0
    requests_per_s: int = 0
    read_bytes_per_day: int = 0  # of `data`, for ingest
    read_bytes: int = 0  # of `data` in all, for a drill's right


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """Who may talk to the gate. The secret is 256 bits of chance; only its SHA-256 is kept."""

    id: str
    kind: CredentialKind
    structure: str
    host: str  # "" only for restore: every host of the structure
    secret_sha256: str
    made_ns: int
    limits: Limits = Limits()
    expires_ns: int = 0  # 0: never (ingest only)
    closed_ns: int = 0
    opening: str = ""  # restore: the opening that must be in force


class Approver(msgspec.Struct, frozen=True, kw_only=True):
    """A person whose signature counts where two are needed."""

    name: str
    public_key: str  # Ed25519, 64 hex digits
    enrolled_ns: int
    removed_ns: int = 0


class Signoff(msgspec.Struct, frozen=True, kw_only=True):
    """One approver's Ed25519 signature under a statement (see flow.vault.signoffs)."""

    approver: str
    signature: str  # hex
    at_ns: int


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """A path agreed beforehand: this clean room's key may open for so long; two people signed it.

    With `drill_every_days` it is for restore drills only: one opening in so many days, of one host,
    which reads at most `read_bytes`.
    """

    name: str
    structure: str
    host: str  # "": every host of the structure
    room_key: str  # Ed25519 public key of the clean room, 64 hex digits
    hours: float
    until_ns: int
    made_ns: int
    signoffs: tuple[Signoff, ...] = ()
    ended_ns: int = 0
    drill_every_days: float = 0.0
    read_bytes: int = 0


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The right to restore, for one incident: by two approvers, or on an agreed path. Timed."""

    id: str
    structure: str
    host: str  # "": every host of the structure
    incident: str
    reason: str
    by: str
    hours: float
    asked_ns: int
    agreement: str = ""  # empty: by two approvers
    signoffs: tuple[Signoff, ...] = ()
    opened_ns: int = 0  # 0: waits for signatures
    expires_ns: int = 0
    closed_ns: int = 0
    first_read_ns: int = 0
    is_drill: bool = False  # opened by the vault itself for a drill that was agreed on


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """A repository as its receipts tell it; nothing here comes from the client's dates."""

    repository: Repository
    first_ns: int
    last_ns: int
    objects: int
    bytes: int
    last_snapshot_ns: int = 0
    dropped_ns: int = 0


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A legal hold: what it covers is not dropped while it stands."""

    id: str
    structure: str
    host: str = ""  # "": every host
    generation: str = ""  # "": every generation
    reason: str
    by: str
    since_ns: int
    lifted_ns: int = 0


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A repository as of a time: hard links of what was received by then."""

    id: str
    repository: Repository
    as_of_ns: int
    last_seq: int  # the newest receipt that counted
    objects: int
    bytes: int
    left_out: int  # objects received later
    made_ns: int
    verified: bool
    folder: str
    by: str = ""  # the opening that asked for it at the gate; it ends with that


class ViewWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a clean room asks the gate to show: a repository as it was when these were received."""

    host: str
    generation: str
    snapshots: tuple[str, ...] = ()  # the newest of them says of when; none: of now
    as_of_ns: int = 0  # or of this time, by the vault's clock


class WhereWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a clean room asks the gate: in which generation of a host these snapshots lie."""

    host: str
    snapshots: tuple[str, ...]


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """The right to restore, as the gate tells whoever holds it; seconds since it was asked for."""

    opening: str
    incident: str
    path: str  # "two_people", "agreed:NAME", or "drill:NAME"
    to_first_signature_s: float | None = None
    to_open_s: float | None = None
    to_first_read_s: float | None = None
    since_asked_s: float = 0.0  # at this answer
    expires_ns: int = 0


class DrillAsk(msgspec.Struct, frozen=True, kw_only=True):
    """A clean room asks for the right of its drill; it made the secret, and signs its SHA-256 with the rest."""

    agreement: str
    asked_ns: int  # clean room's clock
    secret_sha256: str
    signature: str = ""  # Ed25519 by the clean room's key, hex
