"""The server's tables. Every key of tenant data starts with the structure."""

import sqlalchemy as sa

metadata = sa.MetaData()

_ID = sa.String(64)
# UTC as ISO 8601 text of fixed width: sorts and compares alike on both engines, and stays readable.
_TIME = sa.String(32)
_JSON = sa.LargeBinary()


def _tenant(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    structure = sa.Column("structure", _ID, sa.ForeignKey("structure.id"), primary_key=True)
    return sa.Table(name, metadata, structure, *columns)


structure = sa.Table(
    "structure",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("created_at", _TIME, nullable=False),
)

profile = _tenant("profile", sa.Column("body", _JSON, nullable=False))

token = _tenant(
    "token",
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("used_at", _TIME),
    sa.Column("host", _ID),
)

host = _tenant(
    "host",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("public_key", sa.LargeBinary(), nullable=False),
    sa.Column("last_seen_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
    sa.Column("vitals", _JSON, nullable=False),
)

watermark = _tenant(
    "watermark",
    sa.Column("host", _ID, primary_key=True),
    sa.Column("spool", _ID, primary_key=True),
    sa.Column("seq", sa.BigInteger(), nullable=False),
)

nonce = _tenant(
    "nonce",
    sa.Column("host", _ID, primary_key=True),
    sa.Column("nonce", sa.String(64), primary_key=True),
    sa.Column("expires_at", _TIME, nullable=False),
)

event = _tenant(
    "event",
    sa.Column("host", _ID, primary_key=True),
    sa.Column("spool", _ID, primary_key=True),
    sa.Column("seq", sa.BigInteger(), primary_key=True),
    sa.Column("stored_at", _TIME, nullable=False),
    sa.Column("is_read", sa.Boolean(), nullable=False),
    sa.Column("body", _JSON, nullable=False),
)

finding = _tenant(
    "finding",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("host", _ID, nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("seen_at", _TIME, nullable=False),
    sa.Column("incident", _ID),
    sa.Column("reviewed_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("finding_by_kind", "structure", "kind", "seen_at"),
)

incident = _tenant(
    "incident",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("host", _ID, nullable=False),
    sa.Column("opened_at", _TIME, nullable=False),
    sa.Column("closed_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("incident_open", "structure", "closed_at", "opened_at"),
)

# What a line says never changes and is never removed; only the incident it belongs to may (a split).
incident_entry = _tenant(
    "incident_entry",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("incident", _ID, nullable=False),
    sa.Column("host", _ID, nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("incident_entry_by_time", "structure", "incident", "at"),
)

# Evidence, its hand-overs, decisions about a ransom.
incident_record = _tenant(
    "incident_record",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("incident", _ID, nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("incident_record_by_time", "structure", "incident", "at"),
)

incident_task = _tenant(
    "incident_task",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("incident", _ID, nullable=False),
    sa.Column("done_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("incident_task_by_incident", "structure", "incident"),
)

playbook_run = _tenant(
    "playbook_run",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("incident", _ID, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("playbook_run_by_incident", "structure", "incident"),
)

action = _tenant(
    "action",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("host", _ID, nullable=False),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Column("signed", _JSON),
    sa.Index("action_by_host", "structure", "host", "state"),
    sa.UniqueConstraint("structure", "host", "number"),
)

vault = _tenant(
    "vault",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Column("standing", _JSON, nullable=False),
    sa.Index("vault_by_token", "token_hash", unique=True),
)

vault_head = _tenant(
    "vault_head",
    sa.Column("vault", _ID, primary_key=True),
    sa.Column("seq", sa.BigInteger(), primary_key=True),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("received_at", _TIME, nullable=False),
    sa.Column("signed", _JSON, nullable=False),
)

person = _tenant(
    "person",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("login", sa.String(120), nullable=False, unique=True),
    sa.Column("body", _JSON, nullable=False),
)

session = _tenant(
    "session",
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("person", _ID, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Index("session_by_hash", "hash", unique=True),
)

# Looked up by the digest of the credential's id: who shows it has not told a login.
passkey = _tenant(
    "passkey",
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("person", _ID, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("passkey_by_id", "id", unique=True),
)

break_glass = _tenant(
    "break_glass",
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("person", _ID, nullable=False),
    sa.Column("used_at", _TIME),
    sa.Column("seen_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
)

audit = _tenant(
    "audit",
    sa.Column("number", sa.BigInteger(), primary_key=True),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("object", sa.String(200), nullable=False),
    sa.Column("verb", sa.String(64), nullable=False),
    sa.Column("detail", sa.String(500), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)

# Each telling is kept: what was said before stays readable.
declaration = _tenant(
    "declaration",
    sa.Column("incident", _ID, primary_key=True),
    sa.Column("version", sa.Integer(), primary_key=True),
    sa.Column("body", _JSON, nullable=False),
)

obligation = _tenant(
    "obligation",
    sa.Column("incident", _ID, primary_key=True),
    sa.Column("duty", sa.String(16), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("body", _JSON, nullable=False),
)

obligation_timer = _tenant(
    "obligation_timer",
    sa.Column("incident", _ID, primary_key=True),
    sa.Column("duty", sa.String(16), primary_key=True),
    sa.Column("mark", sa.String(16), primary_key=True),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("fired_at", _TIME),
    sa.Index("obligation_timer_waiting", "structure", "fired_at", "at"),
)

dossier = _tenant(
    "dossier",
    sa.Column("incident", _ID, primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("version", sa.Integer(), primary_key=True),
    sa.Column("body", _JSON, nullable=False),
)

rota = _tenant("rota", sa.Column("sealed", _JSON, nullable=False))

help_line = _tenant(
    "help_line",
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Index("help_line_by_token", "token_hash", unique=True),
)

help_request = _tenant(
    "help_request",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("opened_at", _TIME, nullable=False),
    sa.Column("closed_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("help_request_by_time", "structure", "opened_at"),
)

# Apart from the calls: every second somebody asks of all structures whose time has come.
help_wake = _tenant(
    "help_wake",
    sa.Column("request", _ID, primary_key=True),
    sa.Column("at", _TIME, nullable=False),
    sa.Index("help_wake_by_time", "at"),
)

help_step = _tenant(
    "help_step",
    sa.Column("request", _ID, primary_key=True),
    sa.Column("number", sa.Integer(), primary_key=True),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("body", _JSON, nullable=False),
)

help_code = _tenant(
    "help_code",
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("request", _ID, nullable=False),
    sa.Column("ring", sa.Integer(), nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("used_at", _TIME),
    sa.Index("help_code_by_hash", "hash", unique=True),
)

audit_head = _tenant(
    "audit_head",
    sa.Column("seq", sa.BigInteger(), primary_key=True),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("signed", _JSON, nullable=False),
)

access_grant = _tenant(
    "access_grant",
    sa.Column("person", _ID, primary_key=True),
    sa.Column("login", sa.String(120), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("ended_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("access_grant_by_person", "person"),
)

admission = _tenant(
    "admission",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("since", _TIME, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("admission_by_time", "structure", "since"),
)

# One row per structure: who watches 500 of them must not open 500 transactions.
situation = _tenant("situation", sa.Column("body", _JSON, nullable=False))

# How the structure stood, day by day: the worst of each.
posture = _tenant(
    "posture",
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("body", _JSON, nullable=False),
)

# This structure is no place of care: a group, or an insurer.
circle = _tenant("circle", sa.Column("kind", sa.String(16), nullable=False))

# Who may see figures of this structure; to an insurer it is the consent.
membership = _tenant(
    "membership",
    sa.Column("circle", _ID, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("ended_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("membership_by_circle", "circle"),
)

# What an insurer could see, week by week; `cohorts` say of whom, and are never shown.
insurer_sheet = _tenant(
    "insurer_sheet",
    sa.Column("week", sa.String(8), primary_key=True),
    sa.Column("body", _JSON, nullable=False),
    sa.Column("cohorts", _JSON, nullable=False),
)

# Signed, with its pages; made anew, it is a version of its own.
statement = _tenant(
    "statement",
    sa.Column("month", sa.String(7), primary_key=True),
    sa.Column("version", sa.Integer(), primary_key=True),
    sa.Column("made_at", _TIME, nullable=False),
    sa.Column("files", _JSON, nullable=False),
)

# A token that opens several structures has a row in each: each can end it for itself.
api_token = _tenant(
    "api_token",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("used_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("api_token_by_hash", "token_hash"),
)

# For a day: what a write was answered. Sealed, for it may hold a secret that is shown once.
api_answer = _tenant(
    "api_answer",
    sa.Column("token", _ID, primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("made_at", _TIME, nullable=False),
    sa.Column("sealed", _JSON, nullable=False),
)

webhook = _tenant(
    "webhook",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("body", _JSON, nullable=False),
    sa.Column("sealed_key", _JSON, nullable=False),
)

webhook_delivery = _tenant(
    "webhook_delivery",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("webhook", _ID, nullable=False),
    sa.Column("made_at", _TIME, nullable=False),
    sa.Column("due_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("webhook_delivery_due", "structure", "due_at"),
    sa.Index("webhook_delivery_by_time", "structure", "webhook", "made_at"),
)

# Not of one structure any more: what was erased, by whom, and the signed certificate of it. From its
# row on, and only then, append-only rows of that structure can be removed.
erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("erased", _ID, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("certificate", _JSON, nullable=False),
)

# Accounts at identity providers, and invitations to link one: looked up by a digest, as passkeys are.
identity_link = _tenant(
    "identity_link",
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("person", _ID, nullable=False),
    sa.Column("provider", _ID, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("identity_link_by_id", "id", unique=True),
)

identity_invite = _tenant(
    "identity_invite",
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("provider", _ID, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Index("identity_invite_by_id", "id", unique=True),
)

# Not of one structure: it is asked before anybody is known. `of`: the only one whose people it is for.
identity_provider = sa.Table(
    "identity_provider",
    metadata,
    sa.Column("name", _ID, primary_key=True),
    sa.Column("of", _ID),
    sa.Column("added_at", _TIME, nullable=False),
    sa.Column("sealed", _JSON, nullable=False),
)

# Not of one structure: failed sign-ins by login or address, before anybody is known.
attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("count_", sa.Integer(), nullable=False),
    sa.Column("until", _TIME, nullable=False),
)

# Not of one structure: what a browser was asked to sign, before anybody is known.
challenge = sa.Table(
    "challenge",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.LargeBinary(), nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
)

help_mail = _tenant(
    "help_mail",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("request", _ID, nullable=False),
    sa.Column("arrived_at", _TIME, nullable=False),
    sa.Column("message", sa.String(64), nullable=False),
    sa.Column("body", _JSON, nullable=False),
    sa.Column("answer_at", _TIME),
    sa.Column("tries", sa.Integer(), nullable=False),
    sa.Index("help_mail_by_message", "structure", "message"),
)

# Not of one structure: how far a mailbox was read, and who wrote to it without being known.
mailbox = sa.Table(
    "mailbox",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("body", _JSON, nullable=False),
)

stray_mail = sa.Table(
    "stray_mail",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("arrived_at", _TIME, nullable=False),
    sa.Column("body", _JSON, nullable=False),
)

glpi = _tenant("glpi", sa.Column("sealed", _JSON, nullable=False))

glpi_ticket = _tenant(
    "glpi_ticket",
    sa.Column("request", _ID, primary_key=True),
    sa.Column("due_at", _TIME),
    sa.Column("body", _JSON, nullable=False),
)
