"""What the server needs of its database: one unit of work for one structure."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from releve.flow.server.circle_ports import CircleStore, CircleUnit
from releve.flow.server.identity_ports import IdentityStore, IdentityUnit
from releve.flow.server.mail_ports import MailStore, MailUnit
from releve.flow.server.ticket_ports import TicketUnit
from releve.flow.server.tool_ports import ToolStore, ToolUnit
from releve.flow.wire import Vitals
from releve.model.access import Admission, Grant
from releve.model.casework import AnyRecord, CaseTask
from releve.model.dossier import Dossier
from releve.model.finding import Finding
from releve.model.help import HelpRequest, Rota, Step
from releve.model.host import Host
from releve.model.incident import Entry, Incident
from releve.model.obligation import Declaration, Obligation, Timer
from releve.model.order import Action, SignedOrder
from releve.model.playbook import PlaybookRun
from releve.model.situation import Situation
from releve.model.standing import EnrolledVault
from releve.model.statement import KeptStatement, Month
from releve.model.structure import Profile

NewSecret = Callable[[], bytes]


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
    """`stage`: "password" (first factor shown), "enrol" (second to be set up), "full".

    It acts in `structure`; `home` is the person's own when that is another one.
    """

    structure: str
    home: str = ""
    admission: str = ""  # under which somebody of elsewhere came in
    person: str
    login: str
    stage: str
    csrf: str
    created_at: dt.datetime
    expires_at: dt.datetime
    seen_at: dt.datetime
    by: str = "password"  # or "passkey", "break_glass", "identity"
    provider: str = ""  # that vouched, of "identity"
    sid: str = ""  # digest of the session there
    id_token: str = ""  # of there, sealed with this session's secret

    @property
    def is_home(self) -> bool:
        return self.home in ("", self.structure)


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A person's credential; `id`: the digest of its id at the authenticator. No secret in it."""

    id: str
    person: str
    credential: bytes
    public_key: bytes  # COSE
    sign_count: int
    transports: tuple[str, ...] = ()
    name: str
    made_at: dt.datetime
    used_at: dt.datetime | None = None


class BreakGlassCode(msgspec.Struct, frozen=True, kw_only=True):
    """A printed code of which only the digest is kept. `sheet`: those made and revoked together."""

    hash: str
    sheet: str
    person: str
    login: str
    made_at: dt.datetime
    used_at: dt.datetime | None = None
    used_from: str = ""
    seen_at: dt.datetime | None = None  # a person of the structure knows of the use
    seen_by: str = ""
    revoked_at: dt.datetime | None = None  # of one that was used; an unused one goes


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


class KeptHead(msgspec.Struct, frozen=True, kw_only=True):
    """A signed head of the audit trail: `signed` is its line. Never changed, never removed."""

    seq: int
    number: int
    signed: bytes


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


class HelpCode(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was sent with a ring."""

    request: str
    ring: int
    used_at: dt.datetime | None = None


class Unit(CircleUnit, IdentityUnit, MailUnit, TicketUnit, ToolUnit, Protocol):
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

    def host_of_token(self, secret_hash: str) -> str:
        """Whom it enrolled; empty: nobody."""
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

    def add_declaration(self, told: Declaration) -> bool:
        """False when another telling of that version came first."""
        ...

    def declaration(self, incident: str) -> Declaration | None:
        """The newest telling."""
        ...

    def declared(self) -> list[str]:
        """The incidents that were declared an attack."""
        ...

    def obligations(self, incident: str = "") -> list[Obligation]: ...
    def obligation(self, incident: str, duty: str, *, lock: bool = False) -> Obligation | None: ...
    def put_obligation(self, obligation: Obligation) -> None: ...
    def set_timers(self, incident: str, duty: str, timers: Sequence[Timer]) -> None:
        """These wait from now on; of a mark that fired already, none waits again."""
        ...

    def due_timers(self, now: dt.datetime, *, most: int = 50) -> list[Timer]:
        """Longest due first; so few that one transaction is short."""
        ...

    def fire_timer(self, timer: Timer, now: dt.datetime) -> bool:
        """True once per timer, for whoever comes first."""
        ...

    def add_dossier(self, dossier: Dossier) -> bool:
        """False when another version of that number came first."""
        ...

    def dossier(self, incident: str, kind: str) -> Dossier | None:
        """The newest version."""
        ...

    def dossier_versions(self, incident: str, kind: str, *, most: int = 100) -> list[Dossier]:
        """Newest first."""
        ...

    def rota(self) -> Rota | None: ...
    def put_rota(self, rota: Rota) -> None:
        """Sealed: it holds ways to people."""
        ...

    def put_help_line(self, token_hash: str, created_at: dt.datetime) -> None:
        """The phone system's token; it replaces the one of before."""
        ...

    def add_help(self, request: HelpRequest) -> bool:
        """False when there is one of that id: it was asked before."""
        ...

    def put_help(self, request: HelpRequest, wake_at: dt.datetime | None) -> None: ...
    def wake_help(self, now: dt.datetime) -> None:
        """Have every request that waits for something looked at now."""
        ...

    def forget_help_codes(self, now: dt.datetime) -> None: ...
    def help_request(self, request: str, *, lock: bool = False) -> HelpRequest | None: ...
    def help_requests(self, *, is_open: bool = False, most: int = 100) -> list[HelpRequest]:
        """Newest first. Of the open ones those of attacks are all there, however many others came since."""
        ...

    def attack_calls(self) -> list[HelpRequest]:
        """The open calls of attacks, newest first, however many others are open."""
        ...

    def add_help_steps(self, request: str, steps: Sequence[Step]) -> None:
        """They can never be changed."""
        ...

    def help_steps(self, request: str) -> list[Step]:
        """In order."""
        ...

    def put_help_code(
        self, code_hash: str, request: str, ring: int, until: dt.datetime
    ) -> None: ...
    def help_code(self, code_hash: str, now: dt.datetime) -> HelpCode | None:
        """None for one that is unknown or over."""
        ...

    def use_help_code(self, code_hash: str, now: dt.datetime) -> bool:
        """True once."""
        ...

    def put_person(self, person: Person) -> None: ...
    def person(self, person: str, *, lock: bool = False) -> Person | None: ...
    def people(self) -> list[Person]: ...
    def has_people(self) -> bool: ...

    def put_grant(self, grant: Grant) -> None:
        """In place of the one that the person had in this structure."""
        ...

    def grant(self, person: str) -> Grant | None:
        """The one that ended too; None for a person of before there were any."""
        ...

    def grants(self) -> list[Grant]:
        """By login, those that ended too."""
        ...

    def add_admission(self, admission: Admission) -> None:
        """Keep it for ever."""
        ...

    def admission(self, admission: str) -> Admission | None: ...
    def admissions(self, *, most: int = 50) -> list[Admission]:
        """Newest first."""
        ...

    def situation(self) -> Situation | None:
        """As it was summed up last."""
        ...

    def put_situation(self, situation: Situation) -> None: ...

    def put_session(self, secret_hash: str, session: Session) -> None: ...
    def sessions_of(self, person: str) -> list[tuple[str, Session]]:
        """(digest of the secret, session), newest first, ended ones too until they are forgotten."""
        ...

    def drop_session(self, secret_hash: str) -> bool:
        """False when it is gone already."""
        ...

    def drop_sessions_of(self, person: str) -> None: ...
    def forget_sessions(self, now: dt.datetime) -> None:
        """Drop those that have ended."""
        ...

    def add_passkey(self, passkey: Passkey) -> bool:
        """False when the structure knows this credential already."""
        ...

    def put_passkey(self, passkey: Passkey) -> None: ...
    def passkey(self, identity: str, *, lock: bool = False) -> Passkey | None: ...
    def passkeys_of(self, person: str) -> list[Passkey]:
        """Oldest first."""
        ...

    def drop_passkey(self, identity: str) -> None: ...
    def put_break_glass(self, code: BreakGlassCode) -> None: ...
    def break_glass(self) -> list[BreakGlassCode]:
        """All of the structure, oldest first."""
        ...

    def break_glass_unseen(self) -> list[BreakGlassCode]:
        """Used, and nobody said yet that they know."""
        ...

    def use_break_glass(self, code: BreakGlassCode) -> bool:
        """True once."""
        ...

    def drop_break_glass(self, code_hash: str) -> None: ...

    def record(
        self, at: dt.datetime, actor: str, object_: str, verb: str, detail: str = ""
    ) -> None:
        """Add to the audit trail; it can never be changed."""
        ...

    def trail(self, *, most: int = 100, before: int = 0) -> list[AuditEntry]:
        """Newest first; with `before` only those of a smaller number."""
        ...

    def trail_of(self, verbs: Sequence[str], *, most: int) -> list[AuditEntry]:
        """Newest first, the entries of these verbs."""
        ...

    def trail_is_whole(self) -> bool:
        """Whether every entry follows from the one before; a trail cut at its end is not seen."""
        ...

    def trail_after(self, number: int) -> Iterator[AuditEntry]:
        """Oldest first, all of them, while the unit is open."""
        ...

    def add_audit_head(self, head: KeptHead) -> bool:
        """False when there is one with this `seq`: it stays."""
        ...

    def audit_heads(self, *, after: int = 0, most: int = 0) -> list[KeptHead]:
        """Oldest first, those with a higher `seq`; the newest so many of them, 0: all."""
        ...

    def help_of(self, month: Month) -> list[HelpRequest]:
        """Those that people made, and that began in it: no reminder of a legal clock."""
        ...

    def incidents_of(self, month: Month) -> list[Incident]:
        """Those that began in it, also those that became part of another."""
        ...

    def told_after(self, since: dt.datetime) -> Iterator[tuple[str, bytes]]:
        """(host, event) of everything that was stored since then, while the unit is open."""
        ...

    def told_since(self) -> dt.datetime | None:
        """When the oldest event that is kept was stored."""
        ...

    def add_statement(self, kept: KeptStatement) -> bool:
        """False when there is one of that month and version: it stays."""
        ...

    def statement(self, month: str) -> KeptStatement | None:
        """The newest version."""
        ...

    def statements(self) -> list[KeptStatement]:
        """All versions, oldest first."""
        ...


class Store(CircleStore, IdentityStore, MailStore, ToolStore, Protocol):
    """The database. The few questions that come before a structure is known are here."""

    def unit(self, structure: str, *, writes: bool = True) -> AbstractContextManager[Unit]:
        """Commits durably when the block ends well, else undoes all of it.

        `writes` False: it says to write nothing; SQLite then refuses what it would write.
        """
        ...

    def structures(self) -> list[Structure]: ...
    def left_at(self, structure: str) -> dt.datetime | None:
        """When it left and was erased; None: it never did."""
        ...

    def put_structure(self, structure: Structure) -> None: ...
    def structure_of_token(self, secret_hash: str) -> str | None: ...
    def vault_of_token(self, token_hash: str) -> tuple[str, str] | None:
        """(structure, vault)."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether other servers may work on this database."""
        ...

    def structure_of_help_line(self, token_hash: str) -> str | None: ...
    def structure_of_help_code(self, code_hash: str) -> str | None: ...
    def help_waking(
        self, now: dt.datetime, beyond: dt.datetime, *, most: int
    ) -> list[tuple[str, str]]:
        """(structure, request) of what is to be looked at now; or after `beyond`: the clock was put back."""
        ...

    def person_by_login(self, login: str) -> Person | None: ...
    def session(self, secret_hash: str) -> Session | None: ...
    def grants_of(self, person: str) -> list[tuple[str, Grant]]:
        """(structure, grant) of all structures, those in force."""
        ...

    def situations_of(self, person: str) -> list[tuple[str, Situation]]:
        """(structure's name, situation) of those that the person is the operator of."""
        ...

    def structure_of_passkey(self, identity: str) -> str | None: ...
    def put_challenge(self, key: str, value: bytes, until: dt.datetime) -> None: ...
    def take_challenge(self, key: str, now: dt.datetime) -> bytes | None:
        """Once; None for one that is unknown, taken or over."""
        ...

    def has_people(self) -> bool: ...
    def attempts(self, key: str) -> Attempts | None: ...
    def put_attempts(self, key: str, attempts: Attempts | None) -> None: ...
    def step_attempts(
        self,
        keys: Sequence[str],
        now: dt.datetime,
        step: Callable[[str, Attempts], Attempts | None],
    ) -> None:
        """Put what the step makes of each key's, in one transaction that nobody comes between.

        Of one that there is none of: no tries, until now. None: forget it. All undone if it raises.
        """
        ...

    def forget_old(self, now: dt.datetime) -> None:
        """Drop ended sessions, attempts, challenges, nonces, invitations and links of calls for help."""
        ...
