"""Findings: what an event means for the people who answer for a host."""

import datetime as dt
from enum import StrEnum

import msgspec

from releve.model.event import HiddenPath, Reason


class Severity(StrEnum):
    """From what is only told, to what needs a person now."""

    INFO = "info"
    NOTICE = "notice"
    SERIOUS = "serious"
    CRITICAL = "critical"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict; `id` follows from the event's place in its spool: finding twice is harmless."""

    id: str
    host: str
    kind: str  # its texts are the console's; its row is in detect/guard_findings.py
    severity: Severity
    seen_at: dt.datetime
    family: str = ""
    action: str = ""
    why: str = ""  # French, when the source wrote its own sentence
    why_en: str = ""
    reasons: tuple[Reason, ...] = ()
    figures: dict[str, float] = {}  # named, with their unit in the name
    lost_paths: tuple[HiddenPath, ...] = ()
    newest_save_lost_paths: tuple[HiddenPath, ...] = ()
    program: str = ""
    user: str = ""
    client: str = ""
    incident: str = ""  # that its source says it is done for
    indicators: tuple[str, ...] = ()  # tokens, `model/indicator.py`
