"""The figures that the papers under the GDPR state: the settings that the code works by."""

import datetime as dt

from releve.adapters.content import kept_policy, privacy_papers
from releve.adapters.spool.sqlite import MOST_NAMES
from releve.adapters.sql.store import KEEP_ANSWERS, KEEP_DELIVERIES
from releve.detect.ransom.limits import Limits as GuardLimits
from releve.flow.server import passkeys, retention, signin
from releve.flow.server.access import STAY
from releve.flow.server.assist.answering import LIMITS
from releve.flow.server.assist.mailing import KEEP_STRAYS
from releve.flow.server.identity.links import INVITED_FOR
from releve.flow.server.ingest import NONCE_KEPT
from releve.model.privacy import Papers
from releve.model.retention import Policy
from releve.report.text import Lang, Voice

_MINUTE, _HOUR, _DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


_DAYS, _NO_LIMIT = {"fr": "jours", "en": "days"}, {"fr": "sans limite", "en": "without limit"}


def papers_in(lang: Lang, keep_days: int = retention.KEEP_DAYS) -> Papers:
    """All papers of a language. Raises: ContentError."""
    figures = settings(keep_days, lang)
    return Papers(papers=privacy_papers(lang), policy=kept_policy(lang), figures=figures)


def settings(keep_days: int = retention.KEEP_DAYS, lang: Lang = "fr") -> dict[str, str]:
    """Every figure that a paper may state, by its name; `keep_days`: `releve server run --keep-events`."""
    guard, vault = GuardLimits(), Policy()
    return {
        "events": f"{keep_days} {_DAYS[lang]}" if keep_days else _NO_LIMIT[lang],
        "before_incident_days": _whole(retention.BEFORE_INCIDENT, _DAY),
        "session_hours": _whole(signin.LIVES["full"], _HOUR),
        "password_minutes": _whole(signin.LIVES["password"], _MINUTE),
        "enrol_minutes": _whole(signin.LIVES["enrol"], _MINUTE),
        "break_glass_hours": _whole(signin.BREAK_GLASS_LIFE, _HOUR),
        "tries_days": _whole(signin.TRIES_KEPT, _DAY),
        "passkey_minutes": _whole(passkeys.ASKED_FOR, _MINUTE),
        "nonce_minutes": _whole(NONCE_KEPT, _MINUTE),
        "help_code_hours": _whole(LIMITS.code, _HOUR),
        "answer_days": _whole(KEEP_ANSWERS, _DAY),
        "delivery_days": _whole(KEEP_DELIVERIES, _DAY),
        "invite_days": _whole(INVITED_FOR, _DAY),
        "stray_days": _whole(KEEP_STRAYS, _DAY),
        "stay_hours": _whole(STAY.longest, _HOUR),
        "held_hours": f"{guard.retention_s / 3600:g}",
        "held_versions": str(guard.generations),
        "names": Voice(lang).number(MOST_NAMES),
        "vault_months": str(vault.months),
        "vault_wait_days": f"{vault.wait_days:g}",
        "vault_live_days": f"{vault.live_days:g}",
    }


def _whole(span: dt.timedelta, unit: dt.timedelta) -> str:
    return f"{span / unit:g}"
