"""Who may work in a structure: roles, what was granted to whom, and who came in from elsewhere and why."""

import datetime as dt
from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What somebody is to a structure."""

    OPERATOR = "operator"  # the managed provider: watches many structures
    LEAD = "lead"  # answers for the structure
    STAFF = "staff"
    DPO = "dpo"  # data-protection officer, of one structure or several
    AUDITOR = "auditor"  # reads, changes nothing
    GROUP = "group"  # sees the figures of the members of the own group
    INSURER = "insurer"  # sees sums over those that consent


class Verb(StrEnum):
    """What a page or a form does."""

    ARRIVE = "arrive"  # sent on to the first page of the role
    LOOK = "look"  # the state of the structure, its vault, its playbooks
    ASK_HELP = "ask_help"
    ANSWER_HELP = "answer_help"
    SEE_DESK = "see_desk"
    SEE_INCIDENTS = "see_incidents"
    HANDLE_INCIDENTS = "handle_incidents"
    ACT = "act"  # orders to hosts, and decisions about them
    SEE_DUTIES = "see_duties"  # legal clocks, dossiers, breach register
    PREPARE_DUTIES = "prepare_duties"
    SIGN_DUTIES = "sign_duties"
    SEE_STATEMENTS = "see_statements"  # the month's proof
    MAKE_STATEMENTS = "make_statements"
    SEE_TRAIL = "see_trail"  # health of hosts with the audit trail
    SEE_PEOPLE = "see_people"  # who may see us, who came in
    CHANGE_PEOPLE = "change_people"
    CHANGE_TOOLS = "change_tools"  # tokens of the API, webhooks
    OWN_ACCOUNT = "own_account"  # one's own passkeys and sessions
    CHOOSE = "choose"  # another structure, of those that are granted
    SEE_SETTINGS = "see_settings"  # what the structure says of itself, how it is set
    CHANGE_SETTINGS = "change_settings"
    CONSENT = "consent"  # who outside may see figures of the structure
    SEE_GROUP = "see_group"  # the figures of the members of a group
    SEE_SUMS = "see_sums"  # those of an insurer
    SEE_SITUATION = "see_situation"  # all structures that one is the operator of


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A person's role in a structure. One that ended is kept: it says that nothing is granted."""

    person: str
    login: str
    role: Role
    is_home: bool  # the person is of this very structure
    by: str
    at: dt.datetime
    ended_at: dt.datetime | None = None


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of elsewhere came in, for a time. Shown to the structure's own people."""

    id: str
    person: str
    login: str
    role: Role
    reason: str
    since: dt.datetime
    until: dt.datetime
