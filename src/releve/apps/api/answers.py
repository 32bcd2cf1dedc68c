"""What tools are told and may say: the forms of the API, version 1. Fields are added, never changed.

No name of a file, no telephone number, and nothing of what a person wrote when they asked for help.
"""

import datetime as dt
from typing import Annotated, Generic, TypeVar

import msgspec

from releve.model.finding import Severity
from releve.model.obligation import State
from releve.model.tool import Scope

T = TypeVar("T")
_NO_NUL = r"^[^\x00]*$"  # PostgreSQL's text has no place for it
_SAID = r"^[^\x00]*[^\s\x00][^\x00]*$"
Said = Annotated[str, msgspec.Meta(min_length=1, max_length=300, pattern=_SAID)]
MayBeSaid = Annotated[str, msgspec.Meta(max_length=300, pattern=_NO_NUL)]


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """`next`: the `cursor` of the page that follows; null: this is the last one."""

    items: tuple[T, ...]
    next: str | None = None


class ApiStructure(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    scopes: tuple[Scope, ...]


class ApiHost(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    carries_care: bool
    care_role: str
    enrolled_at: dt.datetime
    last_seen_at: dt.datetime | None
    guard: str
    isolated_until: dt.datetime | None
    last_good_backup_at: dt.datetime | None
    last_good_drill_at: dt.datetime | None
    key_paper_tried_at: dt.datetime | None


class ApiCare(msgspec.Struct, frozen=True, kw_only=True):
    """A service of care that an incident touches, from the first sign to care resumed."""

    service: str
    name: str
    since: dt.datetime
    resumed_at: dt.datetime | None
    seconds: float


class ApiIncident(msgspec.Struct, frozen=True, kw_only=True):
    """`merged_into`: the incident that it became part of, or empty."""

    id: str
    severity: Severity
    opened_at: dt.datetime
    last_at: dt.datetime
    closed_at: dt.datetime | None
    hosts: tuple[str, ...]
    merged_into: str
    stops: int
    restored: int
    lost: int


class ApiTask(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    title: str
    who: str
    made_at: dt.datetime
    made_by: str
    due_at: dt.datetime | None
    done_at: dt.datetime | None
    done_by: str


class ApiPlaybook(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook that Relève ships; `dated`: its wording's day."""

    id: str
    title: str
    title_en: str
    dated: str


class ApiCase(msgspec.Struct, frozen=True, kw_only=True):
    """One incident with its care clocks and tasks; its timeline is a list of its own.

    `proposed_playbook`: to start with; null: no finding speaks for one, it was started, or all is over.
    """

    incident: ApiIncident
    care: tuple[ApiCare, ...]
    tasks: tuple[ApiTask, ...]
    timeline_entries: int
    proposed_playbook: ApiPlaybook | None


class ApiEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a timeline; it never changes. `by`: a person or a tool, for what was not found."""

    id: str
    at: dt.datetime
    kind: str
    severity: Severity
    host: str
    why: str
    why_en: str
    by: str


class ApiHelp(msgspec.Struct, frozen=True, kw_only=True):
    """`phase`: "ringing", "acknowledged", "ended" (nobody came), "closed". `name`: who comes.

    `incidents`: of source "attack": what Relève rings for by itself; nobody asked.
    """

    id: str
    source: str
    phase: str
    is_blocked: bool
    opened_at: dt.datetime
    acknowledged_at: dt.datetime | None
    closed_at: dt.datetime | None
    name: str
    incidents: tuple[str, ...]


class ApiObligation(msgspec.Struct, frozen=True, kw_only=True):
    """A legal clock; `duty` is its row in the law that Relève ships, `law_from` the wording's day."""

    incident: str
    duty: str
    law_from: dt.date
    state: State
    started_at: dt.datetime
    due_at: dt.datetime | None
    sent_at: dt.datetime | None


class ApiStatement(msgspec.Struct, frozen=True, kw_only=True):
    """`files`: SHA-256 by name."""

    month: str
    version: int
    made_at: dt.datetime
    files: dict[str, str]


class ApiVaultHost(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    last_snapshot_at: dt.datetime | None
    bytes: int
    verified_30d_bytes: int
    bad_objects: int


class ApiVault(msgspec.Struct, frozen=True, kw_only=True):
    """What the vault signed of itself last. `broken`: why a head of its journal was refused, or empty."""

    id: str
    name: str
    enrolled_at: dt.datetime
    removed_at: dt.datetime | None
    told_at: dt.datetime | None
    broken: str
    hosts: tuple[ApiVaultHost, ...]


class ApiWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """No `events`: all of them. `why`: of the last failure, or empty."""

    id: str
    url: str
    events: tuple[str, ...]
    made_at: dt.datetime
    last_good_at: dt.datetime | None
    failing_since: dt.datetime | None
    why: str
    disabled_at: dt.datetime | None


class ApiNewWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """`secret` is told this once."""

    webhook: ApiWebhook
    secret: str


class ApiDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `due_at` null: it was taken, or given up."""

    id: str
    type: str
    made_at: dt.datetime
    due_at: dt.datetime | None
    taken_at: dt.datetime | None
    tries: int
    why: str


class _Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Written by a program: a word that is not known is a mistake of its author."""


class NewNote(_Said, frozen=True, kw_only=True):
    text: Said


class NewAcknowledgement(_Said, frozen=True, kw_only=True):
    """Somebody has seen the incident and takes care of it."""

    who: Said


class NewTask(_Said, frozen=True, kw_only=True):
    title: Said
    who: MayBeSaid = ""
    due_in_days: Annotated[float, msgspec.Meta(ge=0, le=999)] | None = None


class NewHelp(_Said, frozen=True, kw_only=True):
    """`is_blocked`: care stands still. `host`: the id of the one that is in trouble."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=_SAID)]
    is_blocked: bool = False
    phone: Annotated[str, msgspec.Meta(max_length=40, pattern=_NO_NUL)] = ""
    host: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")] = ""


class NewWebhook(_Said, frozen=True, kw_only=True):
    url: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    events: tuple[str, ...] = ()
