"""Which errors each command can end with: what its help lists as EXIT STATUS.

A new error adds its name to the rows of the commands that can meet it; a test holds that none is
left out. Names, not classes: help of one command imports nothing of the others.
"""

from importlib import import_module

from releve.model.errors import ReleveError

_LINUX, _STORE = "releve.adapters.linux", "releve.adapters.private"
_GUARD, _GUARD_CLI = "releve.apps.guard.wiring", "releve.apps.guard.cli"
_BACKUP, _TOOLS = "releve.flow.backup", "releve.adapters.restic.tools"
_AGENT, _AGENT_CLI = "releve.apps.agent", "releve.apps.agent.cli"
_INSTALL = "releve.apps.install"
_ENROLLING = "releve.apps.agent.enrolling"
_HTTP, _SQL = "releve.adapters.http.client", "releve.adapters.sql"
_USER_CLI, _RESTORE = "releve.apps.server.user_cli", "releve.apps.restore.cli"
_STRUCTURE_CLI = "releve.apps.server.structure_cli"
_DESK_CLI, _ROTA_CLI = "releve.apps.server.desk_cli", "releve.apps.server.rota_cli"
_BREAK_GLASS_CLI = "releve.apps.server.break_glass_cli"
_MAILBOX_CLI = "releve.apps.server.mailbox_cli"
_PLAYBOOK_CLI = "releve.apps.server.playbook_cli"
_IDENTITY = "releve.apps.server.identity_errors"
_DRILL, _MONTHS = "releve.flow.drill.ports", "releve.flow.server.months"
_BOX, _ISOLATION, _CLIENTS = (
    "releve.apps.box.errors",
    "releve.flow.isolation",
    "releve.flow.clients",
)
_SIMULATE = "releve.apps.simulate"
_RETAINING, _RETENTION = "releve.apps.vault.retaining", "releve.flow.vault.retention"
_KEYS, _KEY_WIRING = "releve.flow.keys", "releve.apps.key.wiring"


def _of(module: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{module}:{name}" for name in names)


_PROTECT = (
    *_of("releve.model.errors", "NotRootError"),
    *_of(f"{_LINUX}.watcher", "UnsupportedFileSystemError", "NoNotificationsError"),
    *_of(_GUARD, "FolderError", "AlreadyGuardedError"),
    *_of("releve.apps.guard.portable", "StoreKindError"),
    *_of("releve.adapters.portable.watcher", "WatchLimitError"),
    *_of(_STORE, "StoreNotPrivateError", "StoreReadOnlyError"),
)
_ASK_GUARD = _of("releve.adapters.control", "GuardNotRunningError")
_ASK_PROTECTED = (*_ASK_GUARD, *_of(_GUARD, "FolderError"))
_TOOL = _of(_TOOLS, "ToolMissingError", "ToolTooOldError", "ToolBrokenError")
_NOT_SET_UP = _of("releve.apps.backup.state", "BackupNotSetUpError")
_REPOSITORY = (
    *_TOOL,
    *_of(_BACKUP, "VaultUnreachableError", "VaultRefusedError", "RepositoryMissingError"),
    *_of(_BACKUP, "RepositoryLockedError", "WrongPasswordError", "EngineFailedError"),
    *_of(_BACKUP, "EngineStalledError", "VaultFullError"),
)
_PAPER = _of("releve.adapters.keys.shares", "SheetToolMissingError")
_TYPED = (*_PAPER, *_of("releve.recover.paper", "PaperKeyMistypedError"))
_ESCROW = _of("releve.adapters.keys.escrow", "EscrowKeyError")
_KEY_FILE = _of(_KEY_WIRING, "SheetPlaceError")
_RECOVERING = "releve.flow.recovery.errors"
_RECOVERY = (
    *_of("releve.model.errors", "NotRootError"),
    *_of(_RECOVERING, "NoRecoveryError", "RecoveryRunningError"),
)
_SOURCE = (
    *_of("releve.apps.recover.intent", "RightFileError"),
    *_ESCROW,
    *_of(_KEYS, "EnvelopeError"),
    *_of("releve.adapters.vault.asked", "NoViewError"),
)
_DRILL_HOME = _of(_STORE, "StoreNotPrivateError", "StoreReadOnlyError")
_SOURCE_NAME = _of("releve.flow.sources", "SourceNameError")
_ENROLLED = _of(f"{_AGENT}.config", "NotEnrolledError", "AgentConfigError")
_JOINS = (
    *_of(_HTTP, "PlainHttpError", "NotTheServerError", "EnrolmentRefusedError"),
    *_of(f"{_AGENT}.config", "AlreadyEnrolledError"),
    *_of(_ENROLLING, "BadTokenError", "ServerUnreachableError"),
)
_ONE_AGENT = _of(f"{_AGENT}.wiring", "AgentRunningError")
_TO_LOOK = (
    *_of("releve.apps.server.opening", "DatabaseMissingError"),
    *_of(f"{_SQL}.versions", "LaterDatabaseError"),
)
_MADE = (
    *_of(f"{_SQL}.seal", "SecondFactorKeyError"),
    *_of(f"{_SQL}.apart", "UnboundRoleError"),
    *_of(f"{_SQL}.versions", "LaterDatabaseError"),
)
_DATABASE = (*_MADE, *_of("releve.apps.server.opening", "DatabaseMissingError"))
_GLPI_CLI = "releve.apps.server.glpi_cli"
_GLPI = (*_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError"))
_GRANT_CLI = "releve.apps.server.grant_cli"
_WEBHOOK_CLI = "releve.apps.server.webhook_cli"
_GRANTS = (*_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError"))
_ROTA = (
    *_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError"), *_of(_ROTA_CLI, "NobodyOnCallError"),
)  # fmt: skip
_CASES = (*_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError"))
_CASE = (
    *_CASES,
    *_of("releve.apps.server.case_options", "IncidentNotFoundError", "WordRefusedError"),
)
_HOST = (*_CASES, *_of("releve.apps.server.host_options", "HostUnknownError"))
_DECISION = (*_CASES, *_of("releve.apps.server.host_order_cli", "NotWaitingError"))
_CONTENT = _of("releve.adapters.content", "ContentError")
_PLAYBOOK = (*_CONTENT, *_of(_PLAYBOOK_CLI, "PlaybookUnknownError"))
_HOME = _of(_BOX, "BoxRootError", "BoxFileError")
_CUT = (*_of(f"{_LINUX}.nft", "FirewallError"), *_HOME)
_SHARE = (*_HOME, *_of(_BOX, "SambaMissingError", "SambaRefusedError"))
_VAULT_FOLDER = (
    *_of("releve.adapters.vault.layout", "VaultNotMadeError"),
    *_of("releve.adapters.vault.journal", "JournalBrokenError"),
)
_LISTENING = _of("releve.apps.web.listening", "PlainListenError", "ListenError")
_RULE = _of(_RETENTION, "RetentionPolicyError")
_CLOCK = _of(_RETAINING, "ClockNotTrustedError")
_REQUEST = _of(_RETENTION, "RequestUnknownError")
_COPYING = "releve.flow.vault.copying"
_COPY = (*_VAULT_FOLDER, *_of(_COPYING, "CopyUnknownError"))
_COPY_ASKED = (*_COPY, *_of(_COPYING, "CopyUnreachableError"))
_REQUEST_FILE = _of("releve.apps.vault.retention_cli", "RequestFileError")
_VAULT = (
    *_of("releve.adapters.vault.layout", "VaultNotMadeError"),
    *_of("releve.adapters.vault.journal", "JournalBrokenError"),
)
_NAMED = (*_VAULT, *_of("releve.apps.vault.access", "VaultNameError"))
_OPENING = (*_NAMED, *_of("releve.flow.vault.openings", "OpeningError"))
_SIGNED = (
    *_of("releve.flow.vault.signoffs", "ApproverUnknownError", "SignatureError"),
    *_of("releve.apps.vault.deciders", "KeyFileError"),
)
_DECLARING, _OBLIGATIONS = "releve.flow.server.duties", "releve.flow.server.obligations"
_DOSSIERS = "releve.flow.server.dossiers"
_ON_CLOCKS = (
    *_DATABASE,
    *_of(_STRUCTURE_CLI, "StructureUnknownError"),
    *_of("releve.adapters.content", "ContentError"),
)
_DECLARED = (*_ON_CLOCKS, *_of(_DECLARING, "NotDeclaredError"))
_DECIDED = (*_DECLARED, *_of(_OBLIGATIONS, "DutyUnknownError", "DecisionIncompleteError"))
_DOSSIER = (*_ON_CLOCKS, *_of(_DOSSIERS, "DossierUnknownError"))
_WRITTEN = (*_DOSSIER, *_of(_DOSSIERS, "DossierChangedError"))

EXITS: dict[str, tuple[str, ...]] = {
    "guard run": (*_PROTECT, *_of(_GUARD, "ScopeError"), *_of(_BOX, "BoxFileError", "BoxRootError")),
    "guard status": _ASK_PROTECTED,
    "guard thaw": (*_ASK_PROTECTED, *_of(_GUARD_CLI, "UnknownFamilyError")),
    "guard kill": (*_ASK_PROTECTED, *_of(_GUARD_CLI, "UnknownFamilyError")),
    "guard stop-family": (*_ASK_PROTECTED, *_of(_GUARD_CLI, "UnknownFamilyError")),
    "guard free": (*_ASK_PROTECTED, *_of(_GUARD_CLI, "NotConfirmedError")),
    "approve": (
        *_of(_GUARD_CLI, "ApprovalError"),
        *_of(_GUARD, "FolderError"),
        *_of(_STORE, "StoreNotPrivateError", "StoreReadOnlyError"),
    ),
    "share add": (
        *_SHARE,
        *_of(_BOX, "UnsuitableFolderError", "FolderAccessError", "ShareNameError"),
        *_of(_BOX, "ShareUserError"),
    ),
    "share list": _HOME,
    "share remove": (*_SHARE, *_of(_BOX, "UnknownShareError")),
    "share status": _SHARE,
    "share serve": (*_SHARE, *_of(_BOX, "UnknownShareError")),
    "share unit": (),
    "share block": (*_CUT, *_of(_CLIENTS, "NeverBlockedError")),
    "share unblock": _CUT,
    "share user add": (*_SHARE, *_of(_BOX, "ShareUserError")),
    "share user remove": (*_SHARE, *_of(_BOX, "ShareUserError")),
    "share user list": _SHARE,
    "isolate": (
        *_CUT,
        *_of(_ISOLATION, "CareRoleError", "NotIsolatedError", "HoursError"),
        *_of(_BOX, "ServerLinkError"),
    ),
    "release": _CUT,
    "backup setup": (*_REPOSITORY, *_NOT_SET_UP),
    "backup run": (
        *_REPOSITORY, *_NOT_SET_UP, *_of(_BACKUP, "BackupIncompleteError", "BackupRunningError"),
        *_of(_BACKUP, "BackupFolderMissingError", "BackupSourceMissingError"),
        *_of(_BACKUP, "BackupSourceEmptyError", "BackupHookFailedError"),
        *_of("releve.apps.backup.judging", "SnapshotHarmedError"),
    ),
    "backup sources list": _NOT_SET_UP,
    "backup sources add postgres": (*_NOT_SET_UP, *_SOURCE_NAME),
    "backup sources add mariadb": (*_NOT_SET_UP, *_SOURCE_NAME),
    "backup sources add sqlite": (*_NOT_SET_UP, *_SOURCE_NAME),
    "backup sources add dicom": (*_NOT_SET_UP, *_SOURCE_NAME),
    "backup sources add hook": _NOT_SET_UP,
    "backup sources remove": (*_NOT_SET_UP, *_SOURCE_NAME),
    "backup sources bring": (
        *_REPOSITORY, *_NOT_SET_UP, *_SOURCE_NAME, *_of(_BACKUP, "VerificationFailedError"),
    ),
    "backup sources test": (
        *_NOT_SET_UP, *_of(_BACKUP, "BackupSourceMissingError", "BackupSourceEmptyError"),
    ),
    "backup pace": _NOT_SET_UP,
    "backup list": (*_REPOSITORY, *_NOT_SET_UP),
    "backup check": (*_REPOSITORY, *_NOT_SET_UP),
    "backup serve-dev": (
        *_TOOL, *_of("releve.adapters.restic.rest_server", "RestServerNotStartedError"),
    ),
    "key sheet": (
        *_KEY_FILE, *_TYPED, *_REPOSITORY, *_NOT_SET_UP,
    ),
    "key try": (*_TYPED, *_of(_KEYS, "PaperKeyRefusedError"), *_REPOSITORY, *_NOT_SET_UP),
    "key status": _NOT_SET_UP,
    "key rotate": (*_REPOSITORY, *_NOT_SET_UP, *_of(_BACKUP, "BackupRunningError")),
    "key escrow pair": _ESCROW,
    "key escrow add": (*_ESCROW, *_REPOSITORY, *_NOT_SET_UP),
    "key escrow revoke": (*_of(_KEYS, "EnvelopeError"), *_NOT_SET_UP),
    "key escrow open": (*_ESCROW, *_KEY_FILE, *_of(_KEYS, "EnvelopeError")),
    "restore serve": (*_LISTENING, *_of("releve.apps.web.links", "PagesMissingError")),
    "restore link": (),
    "restore log": _of("releve.adapters.chained", "ChainBrokenError"),
    "restore file": (
        *_of(_RESTORE, "NoVersionError", "WouldReplaceError", "RestoreIncompleteError"),
        *_REPOSITORY, *_NOT_SET_UP, *_of(_BACKUP, "VerificationFailedError"),
    ),
    "recover start": (
        *_REPOSITORY, *_RECOVERY, *_SHARE, *_SOURCE, *_NOT_SET_UP,
        *_of("releve.recover.course", "NoCleanPointError"),
        *_of("releve.apps.recover.planning", "IncidentUnknownError"),
        *_of("releve.flow.scan_ports", "CatalogueError"),
        *_of(_RECOVERING, "MountFailedError", "TargetError", "CareListError", "DiskRoomError"),
        *_of(_RECOVERING, "SharingFailedError", "StillInUseError"),
    ),
    "recover status": _RECOVERY,
    "recover stop": (*_RECOVERY, *_of(_RECOVERING, "StillInUseError", "SharingFailedError")),
    "recover finish": (
        *_REPOSITORY, *_RECOVERY,
        *_of(_RECOVERING, "NotAllLocalError", "StillInUseError", "DoubtfulFilesError"),
        *_of(_RECOVERING, "MountFailedError", "TargetError", "SharingFailedError"),
    ),
    "recover serve": (*_RECOVERY, *_LISTENING, *_of("releve.apps.web.links", "PagesMissingError")),
    "recover link": _RECOVERY,
    "recover log": (*_RECOVERY, *_of("releve.adapters.chained", "ChainBrokenError")),
    "recover scan": (
        *_REPOSITORY, *_NOT_SET_UP, *_of("releve.flow.scan_ports", "CatalogueError", "RulesError"),
        *_of("releve.apps.backup.judging", "ScanRunningError"),
    ),
    "recover plan": (
        *_NOT_SET_UP,
        *_of("releve.flow.scan_ports", "CatalogueError"),
        *_of("releve.apps.recover.planning", "IncidentUnknownError"),
    ),
    "recover hunt": (*_NOT_SET_UP, *_of("releve.flow.scan_ports", "CatalogueError", "RulesError")),
    "recover accept": (
        *_NOT_SET_UP, *_of("releve.flow.scan_ports", "CatalogueError", "UnknownSnapshotError"),
    ),
    "drill run": (
        *_REPOSITORY, *_NOT_SET_UP, *_DRILL_HOME, *_SOURCE,
        *_of("releve.flow.scan_ports", "CatalogueError"),
        *_of(_DRILL, "DrillRunningError", "DrillFailedError", "NothingToResumeError"),
        *_of(_DRILL, "NoSnapshotError", "RoomError"), *_of("releve.adapters.content", "ContentError"),
    ),
    "drill list": _DRILL_HOME,
    "drill show": (*_DRILL_HOME, *_of(_DRILL, "UnknownDrillError", "CertificateBadError")),
    "drill schedule": _DRILL_HOME,
    "drill certify": (
        *_DRILL_HOME, *_of(_DRILL, "NothingToCertifyError", "DrillFailedError", "RoomError"),
        *_of("releve.adapters.content", "ContentError"),
    ),
    "drill verify": (*_DRILL_HOME, *_of(_DRILL, "CertificateBadError", "CertificateKeyError")),
    "vault retention plan": (*_VAULT_FOLDER, *_RULE),
    "vault retention policy": (*_VAULT_FOLDER, *_RULE),
    "vault retention request": (*_VAULT_FOLDER, *_RULE, *_CLOCK),
    "vault retention approve": (
        *_VAULT_FOLDER, *_REQUEST, *_REQUEST_FILE,
        *_of("releve.flow.vault.signoffs", "ApproverUnknownError", "SignatureError"),
    ),
    "vault retention run": (
        *_VAULT_FOLDER, *_RULE, *_REQUEST, *_CLOCK, *_of(_RETENTION, "NotYetError"),
    ),
    "vault retention hold": (
        *_VAULT_FOLDER, *_RULE, *_of("releve.apps.vault.access", "VaultNameError"),
    ),
    "vault retention release": (*_VAULT_FOLDER, *_RULE, *_REQUEST),
    "vault approve": (*_REQUEST_FILE, *_of("releve.apps.vault.deciders", "KeyFileError")),
    "vault forecast": _VAULT_FOLDER,
    "vault copy credential": (
        *_VAULT_FOLDER, *_of("releve.apps.vault.access", "VaultNameError"),
    ),
    "vault copy add": _COPY,
    "vault copy list": _COPY,
    "vault copy run": (*_COPY_ASKED, *_of(_COPYING, "CopySourceError")),
    "vault copy verify": (
        *_COPY_ASKED, *_of(_COPYING, "CopySourceError", "CopyIncompleteError"),
    ),
    "vault copy heal": (*_COPY_ASKED, *_of(_COPYING, "CopyIncompleteError")),
    "vault copy probe": (*_COPY_ASKED, *_of(_COPYING, "NotImmutableError")),
    "vault seal": _VAULT,
    "vault unit": (),
    "vault schedule": (
        *_VAULT, *_of("releve.apps.vault.keeping", "JobFailedError"),
        *_of(_COPYING, "CopyUnknownError"),
    ),
    "vault keep": (*_VAULT, *_of("releve.apps.vault.keeping", "KeeperRunningError")),
    "vault init": (*_NAMED, *_of("releve.apps.vault.head_places", "HeadPlaceError")),
    "vault leave": _OPENING,
    "vault report-to": (
        *_of("releve.adapters.vault.layout", "VaultNotMadeError"),
        *_of("releve.apps.vault.access", "VaultNameError"),
    ),
    "vault serve": (*_VAULT, *_TOOL, *_of("releve.apps.vault.opened", "GateRunningError")),
    "vault status": _VAULT,
    "vault credential add": _NAMED,
    "vault credential list": _VAULT,
    "vault credential close": _OPENING,
    "vault credential open": (*_OPENING, *_of("releve.apps.vault.deciders", "KeyFileError")),
    "vault credential approve": (*_OPENING, *_SIGNED),
    "vault approver make-key": _of("releve.apps.vault.deciders", "KeyFileError"),
    "vault approver add": (*_NAMED, *_of("releve.apps.vault.deciders", "KeyFileError")),
    "vault approver remove": (
        *_NAMED, *_of("releve.flow.vault.signoffs", "ApproverUnknownError"),
    ),
    "vault approver list": _VAULT,
    "vault agreement add": (*_OPENING, *_of("releve.apps.vault.deciders", "KeyFileError")),
    "vault agreement sign": (*_OPENING, *_SIGNED),
    "vault agreement list": _VAULT,
    "vault agreement end": _OPENING,
    "vault receipts": _VAULT,
    "vault head": (*_VAULT, *_of("releve.adapters.vault.heads", "HeadMismatchError")),
    "vault view": (
        *_VAULT, *_of("releve.adapters.vault.view", "ViewError", "NothingReceivedError"),
    ),
    "vault scrub": (*_VAULT, *_of("releve.apps.vault.look", "ScrubFoundError")),
    "vault clock": _VAULT,
    "vault standing": (*_VAULT, *_of("releve.apps.vault.standing", "StandingNotTakenError")),
    "agent enrol": _JOINS,
    "agent run": (
        *_ENROLLED, *_ONE_AGENT, *_of(_HTTP, "PlainHttpError"),
        *_of(_AGENT_CLI, "GuardStaysError"),
    ),
    "agent stop-guard": (*_ENROLLED, *_ONE_AGENT),
    "agent status": (
        *_ENROLLED,
        *_of(f"{_AGENT}.showing", "GuardAwayError", "AgentNotWorkingError"),
        *_of(f"{_AGENT}.showing", "UnknownToServerError", "ServerAwayError"),
    ),
    "agent feed": (
        *_ENROLLED, *_of(_HTTP, "PlainHttpError"), *_of(_ENROLLING, "ServerUnreachableError"),
    ),
    "agent names": _ENROLLED,
    "server run": (
        *_of(f"{_SQL}.engine", "ServerRunningError"), *_MADE,
        *_LISTENING,
    ),
    "audit verify": (
        *_TO_LOOK,
        *_of("releve.apps.server.audit_cli", "TrailNotWholeError"),
        *_of("releve.adapters.audit_heads", "HeadsUnreadableError"),
    ),
    "audit show": (*_TO_LOOK, *_CONTENT),
    "audit shipped": (*_TO_LOOK, *_of("releve.apps.server.audit_shipped_cli", "HeadsNotShippedError")),
    "audit key": (),
    "server backup": (
        *_TO_LOOK,
        *_of("releve.apps.server.state", "BackupPlaceError"),
    ),
    "server restore": (
        *_DATABASE,
        *_of("releve.apps.server.state", "HomeTakenError"),
        *_of("releve.adapters.server_archive", "StateFileError"),
        *_of("releve.apps.server.audit_cli", "TrailNotWholeError"),
    ),
    "server token create": _MADE,
    "server user create": (
        *_MADE, *_of(_USER_CLI, "LoginTakenError", "WeakPasswordError"),
    ),
    "server user list": _GRANTS,
    "server user reset": (
        *_DATABASE, *_of(_GRANT_CLI, "PersonUnknownError"), *_of(_USER_CLI, "WeakPasswordError"),
    ),
    "server grant add": (*_GRANTS, *_of(_GRANT_CLI, "PersonUnknownError")),
    "server grant remove": (
        *_GRANTS, *_of(_GRANT_CLI, "PersonUnknownError", "NothingGrantedError"),
    ),
    "server grant list": _GRANTS,
    "server grant admissions": _GRANTS,
    "server api-token add": _GRANTS,
    "server api-token list": _GRANTS,
    "server api-token revoke": (
        *_GRANTS, *_of("releve.apps.server.api_token_cli", "ApiTokenUnknownError"),
    ),
    "server webhook add": _GRANTS,
    "server webhook list": _GRANTS,
    "server webhook test": (
        *_GRANTS, *_of(_WEBHOOK_CLI, "WebhookUnknownError", "WebhookNotTakenError"),
    ),
    "server webhook remove": (*_GRANTS, *_of(_WEBHOOK_CLI, "WebhookUnknownError")),
    "server setup-code": _DATABASE,
    "group add": _DATABASE,
    "group list": _DATABASE,
    "group show": _GRANTS,
    "group member add": _GRANTS,
    "group member remove": (*_GRANTS, *_of(_GRANT_CLI, "NothingGrantedError")),
    "insurer add": _DATABASE,
    "insurer list": _DATABASE,
    "insurer show": _GRANTS,
    "insurer withdraw": (*_GRANTS, *_of(_GRANT_CLI, "NothingGrantedError")),
    "server glpi template": (),
    "server glpi set": (*_GLPI, *_of(_GLPI_CLI, "GlpiFailedError", "GlpiFileError")),
    "server glpi test": (*_GLPI, *_of(_GLPI_CLI, "GlpiFailedError", "GlpiMissingError")),
    "server glpi show": (*_GLPI, *_of(_GLPI_CLI, "GlpiMissingError")),
    "server glpi remove": (*_GLPI, *_of(_GLPI_CLI, "GlpiMissingError")),
    "server mailbox set": (*_DATABASE, *_of(_MAILBOX_CLI, "MailboxFailedError")),
    "server mailbox test": _of(_MAILBOX_CLI, "MailboxFailedError", "MailboxMissingError"),
    "server mailbox show": (*_DATABASE, *_of(_MAILBOX_CLI, "MailboxMissingError")),
    "server mailbox remove": _of(_MAILBOX_CLI, "MailboxMissingError"),
    "situation": _DATABASE,
    "host list": _CASES,
    "host show": _HOST,
    "host would-stop": _CASES,
    "host order list": _CASES,
    "host order isolate": _HOST,
    "host order release": _HOST,
    "host order stop": _HOST,
    "host order thaw": _HOST,
    "host order restore": _HOST,
    "host order approve": _DECISION,
    "host order refuse": (*_DECISION, *_CONTENT),
    "structure template": (),
    "structure set": (
        *_DATABASE, *_of(_STRUCTURE_CLI, "ProfileFileError", "StructureUnknownError"),
    ),
    "structure show": (*_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError")),
    "structure posture": _CASES,
    "structure list": _DATABASE,
    "obligation list": _ON_CLOCKS,
    "obligation start": (
        *_DECLARED, *_of(_OBLIGATIONS, "DecisionIncompleteError"),
        *_of(_DOSSIERS, "DossierChangedError"),
    ),
    "obligation send": _DECIDED,
    "obligation not-due": _DECIDED,
    "obligation register": _DECLARED,
    "dossier make": (*_WRITTEN, *_of(_DECLARING, "NotDeclaredError")),
    "dossier show": (*_DOSSIER, *_of("releve.adapters.pdf", "PdfMissingError")),
    "dossier edit": _WRITTEN,
    "dossier sign": (*_WRITTEN, *_of(_OBLIGATIONS, "DecisionIncompleteError")),
    "dossier receipt": (*_WRITTEN, *_of(_OBLIGATIONS, "DecisionIncompleteError")),
    "incident list": _CASES,
    "incident show": (*_CASE, *_CONTENT),
    "incident merge": _CASE,
    "incident split": _CASE,
    "incident close": (*_CASE, *_CONTENT),
    "incident reopen": _CASE,
    "incident ack": _CASE,
    "incident resume": _CASE,
    "incident task add": _CASE,
    "incident task done": _CASE,
    "incident task list": _CASE,
    "incident evidence add": _CASE,
    "incident evidence hand-over": _CASE,
    "incident evidence list": _CASE,
    "incident ransom": (*_CASE, *_CONTENT),
    "playbook list": _CONTENT,
    "playbook start": (*_CASE, *_PLAYBOOK),
    "playbook step": (*_CASE, *_PLAYBOOK, *_of(_PLAYBOOK_CLI, "NotStartedError")),
    "playbook sheet": (
        *_CASES, *_PLAYBOOK, *_of("releve.adapters.pdf", "PdfMissingError"),
    ),
    "papers list": _CONTENT,
    "papers retention": _CONTENT,
    "papers print": (
        *_CASES, *_of("releve.apps.server.papers_cli", "PaperUnknownError"),
        *_of("releve.adapters.pdf", "PdfMissingError"),
    ),
    "server break-glass make": (
        *_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError"),
        *_of(_BREAK_GLASS_CLI, "LoginUnknownError"), *_of("releve.adapters.pdf", "PdfMissingError"),
    ),
    "server break-glass list": (*_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError")),
    "server break-glass revoke": (
        *_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError"),
        *_of(_BREAK_GLASS_CLI, "SheetUnknownError"),
    ),
    "server break-glass seen": (*_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError")),
    "server identity add": (
        *_DATABASE, *_CONTENT, *_of(_STRUCTURE_CLI, "StructureUnknownError"),
        *_of(_HTTP, "PlainHttpError"), *_of(_IDENTITY, "ProviderTakenError"),
    ),
    "server identity list": _DATABASE,
    "server identity known": _CONTENT,
    "server identity test": (
        *_DATABASE, *_of(_IDENTITY, "ProviderUnknownError", "ProviderUnusableError"),
    ),
    "server identity invite": (
        *_DATABASE, *_of(_IDENTITY, "ProviderUnknownError"),
        *_of(_BREAK_GLASS_CLI, "LoginUnknownError"),
    ),
    "server identity secret": (*_DATABASE, *_of(_IDENTITY, "ProviderUnknownError")),
    "server identity remove": (*_DATABASE, *_of(_IDENTITY, "ProviderUnknownError")),
    "server vault add": (*_DATABASE, *_of("releve.apps.server.vault_cli", "VaultTakenError")),
    "server vault list": _DATABASE,
    "server vault remove": (
        *_DATABASE, *_of("releve.apps.server.vault_cli", "VaultNotEnrolledError"),
    ),
    "server vault heads": (
        *_DATABASE, *_of("releve.apps.server.vault_cli", "VaultNotEnrolledError"),
    ),
    "statement make": (
        *_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError"),
        *_of(_MONTHS, "MonthError"), *_of("releve.adapters.pdf", "PdfTooLongError"),
    ),
    "statement verify": _of(
        "releve.apps.server.statement_cli", "StatementBadError", "StatementKeyError"
    ),
    "statement usage": (*_DATABASE, *_of(_MONTHS, "MonthError")),
    "onboard": (
        *_MADE, *_CONTENT, *_of("releve.apps.server.onboard_plan", "OnboardFileError"),
        *_of("releve.apps.server.onboard_vault", "OnboardVaultError"),
        *_of("releve.apps.server.onboard_taken", "OnboardTakenError"),
    ),
    "install": (
        *_of(f"{_INSTALL}.cli", "PlanError", "InstallUnfinishedError"),
        *_of(f"{_AGENT}.config", "AgentConfigError"),
    ),
    "leave": (
        *_ON_CLOCKS,
        *_of("releve.apps.server.leave_cli", "AccountsEndError", "RowsLeftError", "ErasureBadError"),
    ),
    "desk list": _DATABASE,
    "desk ack": (*_DATABASE, *_of(_DESK_CLI, "HelpUnknownError")),
    "desk close": (*_DATABASE, *_of(_DESK_CLI, "HelpUnknownError")),
    "desk attacks": (*_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError")),
    "desk phone": (*_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError")),
    "desk rota template": (),
    "desk rota set": (
        *_DATABASE, *_of(_STRUCTURE_CLI, "StructureUnknownError"), *_of(_ROTA_CLI, "RotaFileError"),
    ),
    "desk rota show": _ROTA,
    "desk rota holes": (*_ROTA, *_of(_ROTA_CLI, "RotaHolesError")),
    "help install": (*_ENROLLED, *_of("releve.apps.web.links", "PagesMissingError")),
    "help ask": (
        *_ENROLLED, *_of(_HTTP, "PlainHttpError"), *_of(_ENROLLING, "ServerUnreachableError"),
        *_of("releve.apps.agent.help_cli", "NobodyCameError"),
    ),
    "simulate": (
        *_of(f"{_SIMULATE}.mark", "UnmarkedError"),
        *_of(f"{_SIMULATE}.arena", "ArenaError"),
        *_of(f"{_SIMULATE}.guard_process", "GuardFailedError"),
        *_of(f"{_SIMULATE}.cli", "LostFilesError"),
        *_of("releve.adapters.pdf", "PdfMissingError", "PdfTooLongError"),
        *_of("releve.adapters.content", "ContentError"),
        *_of("releve.apps.box.lab", "LabError"),
    ),
}  # fmt: skip

# What no command of a user ends with, and why: the reason stands beside the name.
_STEP = "a step of `releve install` says it; the command itself ends with InstallUnfinishedError"
NOWHERE: dict[str, str] = {
    "OtherHostError": _STEP,
    "NoTokenError": _STEP,
    "DepositMissingError": _STEP,
    "NoVaultError": _STEP,
    "OtherBackupError": _STEP,
    "FolderAbsentError": _STEP,
    "StepFailedError": _STEP,
    "HarmfulVersionError": "the page of `releve restore serve` says it",
    "WrongHashError": "scripts/tools.py, which `make setup` runs",
    "NoSourceError": "scripts/tools.py, which `make setup` runs",
}


def exits_of(command: str) -> tuple[type[ReleveError], ...]:
    """The errors of a command by its words ("backup run")."""
    return tuple(_class(name) for name in EXITS.get(command, ()))


def _class(name: str) -> type[ReleveError]:
    module, _, word = name.partition(":")
    found: object = getattr(import_module(module), word)
    if not (isinstance(found, type) and issubclass(found, ReleveError)):
        raise TypeError(f"{name} is no error for people")
    return found
