"""Details of the audit trail of who may do what: accounts, access, codes, tools, the structure itself."""

import datetime as dt
import re

from releve.apps.console.trail_details import Content, Told, count, pair, word
from releve.apps.console.words import Words
from releve.flow.server.tools.webhooks import place_of


def _onboarded(detail: str, _content: Content, t: Words) -> str:
    """Of the steps, and the technician's minutes where they are of this structure alone.

    Entries of before tell how many structures a run took in: that is nobody else's business.
    """
    found = _ONBOARDED.match(detail)
    if found is None:
        return detail
    said = t("trail_detail.steps", n=int(found["steps"]))
    if not found["minutes"] or found["others"] not in (None, "1"):
        return said
    minutes = t.number(float(found["minutes"]), 1 if "." in found["minutes"] else 0)
    return f"{said}, {t('trail_detail.technician', minutes=minutes)}"


_ONBOARDED = re.compile(
    r"\+(?P<steps>\d+)(?:, [\d.]+ s / (?P<others>\d+) structures)?(?:, (?P<minutes>[\d.]+) min)?"
)


def _provider_gone(detail: str, _content: Content, t: Words) -> str:
    issuer, _, rest = detail.rpartition(", ")
    count = rest.partition(" ")[0]
    if not count.isdecimal():
        return detail
    return f"{issuer}, {t('trail_detail.accounts', n=int(count))}"


def _sheet_made(detail: str, _content: Content, t: Words) -> str:
    """Of how many printed codes, and whose."""
    count, _, login = detail.partition(" codes, ")
    if not count.isdecimal():
        return detail
    return f"{t('trail_detail.codes', n=int(count))}, {login}"


def _sheet_used(detail: str, _content: Content, t: Words) -> str:
    """Of an address, and how many codes of the sheet are left."""
    address, _, left = detail.removesuffix(" codes").partition(", ")
    count, _, whole = left.partition("/")
    if not count.isdecimal():
        return detail
    return t("trail_detail.sheet_used", address=address, left=count, whole=whole)


def _use_known(detail: str, _content: Content, t: Words) -> str:
    """Of whose code it was, and who knows, where another one said so."""
    login, _, name = detail.partition(": ")
    return pair(login, name, t)


def _left(detail: str, _content: Content, t: Words) -> str:
    left, _, whole = detail.partition("/")
    return t("trail_detail.left", left=left, whole=whole) if whole else detail


def _role(detail: str, _content: Content, t: Words) -> str:
    """Of a login and its role, or the role alone."""
    login, _, role = detail.rpartition(" ")
    said = t(f"access_role.{role}") if t.has(f"access_role.{role}") else role
    return pair(login, said, t)


def _entered(detail: str, _content: Content, t: Words) -> str:
    """Of a role and the reason that was given."""
    role, _, reason = detail.partition(": ")
    said = t(f"access_role.{role}") if t.has(f"access_role.{role}") else role
    return pair(said, reason, t)


def _signed_in(detail: str, _content: Content, t: Words) -> str:
    """Of the means, and who vouched."""
    by, _, provider = detail.partition(" ")
    return f"{t(f'trail.{by}')} {provider}".strip() if t.has(f"trail.{by}") else detail


def _scopes(detail: str, _content: Content, t: Words) -> str:
    """Of a tool's token: its name, and what it may do."""
    name, _, scopes = detail.rpartition(": ")
    keys = [f"scope.{scope.replace(':', '_')}" for scope in scopes.split()]
    if not all(map(t.has, keys)):
        return detail
    return pair(name, ", ".join(map(t, keys)), t)


def _hook(detail: str, _content: Content, t: Words) -> str:
    """Why an address that is told was stopped."""
    if t.has(f"hook_why.{detail}"):
        return t(f"hook_why.{detail}")
    return t("hook_why.status", code=detail.removeprefix("status "))


def _place(detail: str, _content: Content, _t: Words) -> str:
    """Of a tool's address; entries of before hold the whole of it."""
    return place_of(detail)


def _key(detail: str, _content: Content, t: Words) -> str:
    """The beginning of a public key."""
    return t("trail_detail.public_key", which=detail)


def _sums(detail: str, _content: Content, t: Words) -> str:
    """Of a sheet of sums."""
    return t.sums(detail)


def _ended(detail: str, _content: Content, t: Words) -> str:
    """Of how many sessions, and which."""
    count, _, which = detail.partition(" ")
    if not count.isdecimal():
        return detail
    said = t("trail_detail.sessions", n=int(count))
    return said if which == "(others)" else f"{said} {which}"


def _state_of(detail: str, _content: Content, t: Words) -> str:
    """Of when the state was saved."""
    try:
        at = dt.datetime.fromisoformat(detail.removeprefix("state of "))
    except ValueError:
        return detail
    return t("trail_detail.state_of", at=t.moment(at).striptags())


def _counter(detail: str, _content: Content, t: Words) -> str:
    """Of a key's count and the one that was seen before."""
    count, found, last = detail.partition(" after ")
    return t("trail_detail.counter", count=count, last=last) if found else detail


DETAILS: dict[tuple[str, str], Told] = {
    ("person", "create"): _role,
    ("person", "grant"): _role,
    ("person", "end_grant"): _role,
    ("person", "use_recovery_code"): _left,
    ("structure", "enter"): _entered,
    ("structure", "onboard"): _onboarded,
    ("structure", "set_rota"): count("people"),
    ("identity", "remove"): _provider_gone,
    ("identity", "link"): word("trail_detail"),
    ("identity", "sign_out_there"): count("sessions"),
    ("break_glass", "make"): _sheet_made,
    ("break_glass", "revoke"): count("codes"),
    ("break_glass", "BREAK_GLASS_USED"): _sheet_used,
    ("break_glass", "acknowledge_use"): _use_known,
    ("console", "sign_in"): _signed_in,
    ("console", "end_sessions"): _ended,
    ("api_token", "make"): _scopes,
    ("webhook", "add"): _place,
    ("webhook", "remove"): _place,
    ("webhook", "disable"): _hook,
    ("vault", "enrol"): _key,
    ("insurer", "see_sums"): _sums,
    ("passkey", "counter_went_back"): _counter,
    ("server", "restore"): _state_of,
}
