"""What the server needs of its database: one unit of work for one structure."""

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from releve.flow.wire import Vitals
from releve.model.casework import AnyRecord, CaseTask
from releve.model.finding import Finding
from releve.model.host import Host
from releve.model.incident import Entry, Incident
from releve.model.order import Action, SignedOrder
from releve.model.playbook import PlaybookRun
from releve.model.standing import EnrolledVault
from releve.model.structure import Profile


class Structure(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    created_at: dt.datetime


class HostRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A host with what only the server needs of it."""

    host: Host
    public_key: bytes
    vitals: Vitals = Vitals()


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    spool: str
    seq: int
    is_read: bool  # False: of a kind that this server does not know yet; kept all the same
    body: bytes


class ActionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An action and, once decided, the order as signed."""

    action: Action
    signed: SignedOrder | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. `totp_confirmed`: the second factor was shown to work."""

    id: str
    structure: str
    login: str
    password_hash: str
    totp_secret: str
    totp_confirmed: bool = False
    totp_last_step: int = 0  # a code is good once
    recovery_hashes: tuple[str, ...] = ()
    created_at: dt.datetime


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """`stage`: "password" (first factor shown), "enrol" (second to be set up), "full"."""

    structure: str
    person: str
    login: str
    stage: str
    csrf: str
    created_at: dt.datetime
    expires_at: dt.datetime
    seen_at: dt.datetime


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    count: int
    until: dt.datetime  # no try before


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    at: dt.datetime
    actor: str
    object: str
    verb: str
    detail: str = ""
    digest: str = ""  # SHA-256 over the entry and the digest before it


class VaultRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A vault with what only the server needs of it; `standing`: the last one, its signed bytes."""

    vault: EnrolledVault
    token_hash: str
    standing: bytes = b""


class VaultHead(msgspec.Struct, frozen=True, kw_only=True):
    """A signed head that was taken; `signed` is the line as it came. Never changed, never removed."""

    vault: str
    seq: int
    hash: str
    received_at: dt.datetime
    signed: bytes


class Unit(Protocol):
    """One transaction of one structure; nothing of another structure can be reached through it."""

    structure: str

    def profile(self) -> Profile | None:
        """What the structure said of itself; None until it did."""
        ...

    def put_profile(self, profile: Profile) -> None: ...
    def hosts(self) -> list[Host]: ...
    def host(self, host: str, *, lock: bool = False) -> HostRecord | None: ...
    def put_host(self, record: HostRecord) -> None: ...

    def take_nonce(self, host: str, nonce: str, expires_at: dt.datetime) -> bool:
        """False when the nonce was taken before: the request is a replay."""
        ...

    def forget_nonces(self, now: dt.datetime) -> None: ...
    def watermark(self, host: str, spool: str) -> int: ...
    def put_watermark(self, host: str, spool: str, seq: int) -> None: ...
    def put_events(self, events: Sequence[StoredEvent], stored_at: dt.datetime) -> None: ...
    def add_event(self, event: StoredEvent, stored_at: dt.datetime) -> bool:
        """False when it was stored before."""
        ...

    def count_events(self) -> int: ...

    def forget_events(self, host: str, before: dt.datetime, *, most: int) -> int:
        """Drop the host's oldest events, those stored before a time; about `most`, how many went."""
        ...

    def forget_findings(self, host: str, before: dt.datetime) -> int:
        """Drop the host's findings seen before a time; those of open incidents stay."""
        ...

    def put_finding(self, finding: Finding, incident: str) -> None: ...
    def findings(self, kind: str, *, most: int = 100) -> list[Finding]:
        """Newest first, those not reviewed yet."""
        ...

    def findings_of(self, host: str, *, most: int = 20) -> list[Finding]:
        """Of one host or vault, newest first, reviewed or not."""
        ...

    def review_findings(self, kind: str, now: dt.datetime) -> int: ...
    def hold(self) -> None:
        """Wait until nobody else changes this structure's incidents, actions and trail; to the end.

        Before any host is locked and anything is written: else two transactions wait for each other.
        """
        ...

    def open_incidents(self, host: str = "") -> list[Incident]:
        """Newest first; of one host: those that it is in."""
        ...

    def incidents(self, *, most: int = 100) -> list[Incident]: ...
    def incident(self, incident: str) -> Incident | None: ...
    def put_incident(self, incident: Incident) -> None: ...
    def add_entries(self, incident: str, entries: Sequence[Entry]) -> None:
        """Keep lines for ever; one that is kept already stays as it is, and where it is."""
        ...

    def entries(
        self, incidents: Sequence[str], *, most: int | None = None, skip: int = 0
    ) -> list[Entry]:
        """Newest first; all of them unless `most`."""
        ...

    def count_entries(self, incidents: Sequence[str]) -> int: ...
    def move_entries(self, incidents: Sequence[str], hosts: Sequence[str], to: str) -> None: ...

    def put_task(self, task: CaseTask) -> None: ...
    def task(self, task: str) -> CaseTask | None: ...
    def tasks(self, incidents: Sequence[str]) -> list[CaseTask]:
        """Of these incidents, by their day."""
        ...

    def waiting_tasks(self) -> list[CaseTask]:
        """Of all incidents, those that are not done, by their day."""
        ...

    def add_record(self, record: AnyRecord) -> None:
        """Keep it for ever; it can never be changed."""
        ...

    def records(self, incidents: Sequence[str]) -> list[AnyRecord]:
        """Oldest first."""
        ...

    def put_run(self, run: PlaybookRun) -> None: ...
    def runs(self, incidents: Sequence[str]) -> list[PlaybookRun]:
        """Oldest first."""
        ...

    def last_number(self, host: str) -> int: ...
    def put_action(self, record: ActionRecord) -> None: ...
    def action(self, action: str) -> ActionRecord | None: ...
    def actions(self, *, host: str = "", state: str = "", most: int = 50) -> list[ActionRecord]: ...

    def put_token(self, secret_hash: str, created_at: dt.datetime, until: dt.datetime) -> None: ...
    def use_token(self, secret_hash: str, host: str, now: dt.datetime) -> bool:
        """True once: for a token that exists, was never used and has not expired."""
        ...

    def vaults(self) -> list[EnrolledVault]:
        """Those that were removed too, by name."""
        ...

    def vault(self, vault: str, *, lock: bool = False) -> VaultRecord | None: ...
    def put_vault(self, record: VaultRecord) -> None: ...
    def add_vault_head(self, head: VaultHead) -> None:
        """Keep it beside those before; the first head of a `seq` stays."""
        ...

    def vault_heads(self, vault: str, *, most: int = 100) -> list[VaultHead]:
        """Newest first."""
        ...

    def put_person(self, person: Person) -> None: ...
    def person(self, person: str) -> Person | None: ...
    def people(self) -> list[Person]: ...
    def put_session(self, secret_hash: str, session: Session) -> None: ...
    def drop_session(self, secret_hash: str) -> None: ...
    def drop_sessions_of(self, person: str) -> None: ...

    def record(
        self, at: dt.datetime, actor: str, object_: str, verb: str, detail: str = ""
    ) -> None:
        """Add to the audit trail; it can never be changed."""
        ...

    def trail(self, *, most: int = 100) -> list[AuditEntry]: ...
    def trail_is_whole(self) -> bool: ...


class Store(Protocol):
    """The database. The few questions that come before a structure is known are here."""

    def unit(self, structure: str, *, writes: bool = True) -> AbstractContextManager[Unit]:
        """Commits durably when the block ends well, else undoes all of it."""
        ...

    def structures(self) -> list[Structure]: ...
    def put_structure(self, structure: Structure) -> None: ...
    def structure_of_token(self, secret_hash: str) -> str | None: ...
    def vault_of_token(self, token_hash: str) -> tuple[str, str] | None:
        """(structure, vault)."""
        ...

    def person_by_login(self, login: str) -> Person | None: ...
    def session(self, secret_hash: str) -> Session | None: ...
    def has_people(self) -> bool: ...
    def attempts(self, key: str) -> Attempts | None: ...
    def put_attempts(self, key: str, attempts: Attempts | None) -> None: ...
    def forget_old(self, now: dt.datetime) -> None:
        """Drop ended sessions, attempts and nonces."""
        ...
