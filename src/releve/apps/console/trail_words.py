"""An entry of the audit trail in the reader's words: what it is about, and its detail.

The trail itself keeps identifiers, and both languages where it says something; what people wrote in
it, and names that they gave, are shown as they are.
"""

import datetime as dt
import re
from collections.abc import Callable

import msgspec

from releve.apps.console.trail_known import Known
from releve.apps.console.words import Words
from releve.flow.server.ports import AuditEntry
from releve.model.dossier import Form
from releve.model.law import Law
from releve.model.playbook import Playbooks


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What identifiers in the trail are of; `known`: those of the structure's own things."""

    law: Law
    forms: tuple[Form, ...]
    playbooks: Playbooks
    known: Known = Known()


class TrailRow(msgspec.Struct, frozen=True, kw_only=True):
    """`about`: which clock or dossier, beside the object; empty for others."""

    entry: AuditEntry
    about: str
    detail: str


def row(entry: AuditEntry, content: Content, t: Words) -> TrailRow:
    kind, _, rest = entry.object.partition("/")
    told = _DETAILS.get((kind, entry.verb)) or _OF_A_KIND.get(kind)
    detail = told(entry.detail, content, t) if told and entry.detail else entry.detail
    if (kind, entry.verb) == ("action", "refuse") and not detail:
        detail = t("lapsed.no_reason")
    return TrailRow(entry=entry, about=_about(kind, rest, content, t), detail=detail)


def _about(kind: str, rest: str, content: Content, t: Words) -> str:
    which = rest.rpartition("/")[2]
    if kind == "dossier":
        form = next((f for f in content.forms if f.id == which), None)
        return t.either(form.name.fr, form.name.en) if form else which
    if kind == "obligation":
        duty = next((d for d in content.law.duty if d.id == which), None)
        return t.either(duty.name.fr, duty.name.en) if duty else which
    return ""


_Told = Callable[[str, Content, Words], str]


def _word(section: str) -> _Told:
    """The detail is one identifier of ours."""

    def told(detail: str, _content: Content, t: Words) -> str:
        key = f"{section}.{detail}"
        return t(key) if t.has(key) else detail

    return told


def _pair(first: str, second: str, t: Words) -> str:
    """As in `Mme Dupo : faux positif`; what was not said leaves no colon behind."""
    colon = t.either("\N{NO-BREAK SPACE}: ", ": ")
    return colon.join(one for one in (first.strip(), second.strip()) if one)


def _count(key: str) -> _Told:
    """The detail begins with a number of something."""

    def told(detail: str, _content: Content, t: Words) -> str:
        number = detail.partition(" ")[0]
        return t(f"trail_detail.{key}", n=int(number)) if number.isdecimal() else detail

    return told


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


def _forgotten(detail: str, _content: Content, t: Words) -> str:
    found = _FORGOTTEN.fullmatch(detail)
    if found is None:
        return detail
    events = t("trail_detail.events", n=int(found["events"]))
    findings = t("trail_detail.findings", n=int(found["findings"]))
    day = t.day(dt.date.fromisoformat(found["day"]))
    return t("trail_detail.forgotten", events=events, findings=findings, day=day)


_FORGOTTEN = re.compile(
    r"(?P<events>\d+) événements / events, (?P<findings>\d+) constats / findings < (?P<day>[\d-]{10})"
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


def _left(detail: str, _content: Content, t: Words) -> str:
    left, _, whole = detail.partition("/")
    return t("trail_detail.left", left=left, whole=whole) if whole else detail


def _role(detail: str, _content: Content, t: Words) -> str:
    """Of a login and its role, or the role alone."""
    login, _, role = detail.rpartition(" ")
    said = t(f"access_role.{role}") if t.has(f"access_role.{role}") else role
    return _pair(login, said, t)


def _entered(detail: str, _content: Content, t: Words) -> str:
    """Of a role and the reason that was given."""
    role, _, reason = detail.partition(": ")
    said = t(f"access_role.{role}") if t.has(f"access_role.{role}") else role
    return _pair(said, reason, t)


def _by_and_why(detail: str, _content: Content, t: Words) -> str:
    """Of who decided, and the reason or the receipt's number, where one was given."""
    who, _, why = detail.partition(":")
    return _pair(who, why, t)


def _signed_in(detail: str, _content: Content, t: Words) -> str:
    """Of the means, and who vouched."""
    by, _, provider = detail.partition(" ")
    return f"{t(f'trail.{by}')} {provider}".strip() if t.has(f"trail.{by}") else detail


def _declared(detail: str, content: Content, t: Words) -> str:
    """Of who told and the answers: the name may hold anything, they stand behind the last colon."""
    who, _, told = detail.rpartition(":")
    asked = {question.id: question.ask for question in content.law.question}
    said = []
    for pair in told.split():
        question, _, answer = pair.partition("=")
        ask = asked.get(question)
        name = t.either(ask.fr, ask.en) if ask else question
        said.append(f"{name} {t(f'answer.{answer}')}" if t.has(f"answer.{answer}") else pair)
    return f"{who} · {' · '.join(said)}" if said else who


def _playbook(detail: str, content: Content, t: Words) -> str:
    found = content.playbooks.named(detail)
    return found.title.of(t.language) if found else detail


def _step(detail: str, content: Content, t: Words) -> str:
    """Of a playbook and its step, and why, where somebody said so."""
    which, _, why = detail.partition(": ")
    name, _, wanted = which.partition(" ")
    found = content.playbooks.named(name)
    step = found.step(wanted) if found else None
    if found is None or step is None:
        return detail
    number = found.steps.index(step) + 1
    title, say = found.title.of(t.language), step.say.of(t.language)
    said = t("trail_detail.step", title=title, number=number, say=say)
    return f"{said} {t('trail_detail.because', why=why)}" if why else said


def _handed(detail: str, content: Content, t: Words) -> str:
    """Of a piece of evidence and who took it."""
    piece, found, receiver = detail.partition(" to ")
    name = content.known.pieces.get(piece, piece[:8])
    return t("trail_detail.handed", piece=name, who=receiver) if found else detail


def _kept(detail: str, content: Content, t: Words) -> str:
    """Of a piece of evidence: what it is, and its hash."""
    return _pair(content.known.pieces.get(detail, ""), detail, t)


def _task(detail: str, content: Content, _t: Words) -> str:
    return content.known.tasks.get(detail, "")


def _note(detail: str, content: Content, _t: Words) -> str:
    return content.known.notes.get(detail, "")


def _ordered(detail: str, content: Content, t: Words) -> str:
    """Of an order to a host: why, in the words of who proposed it."""
    order = content.known.orders.get(detail)
    return t("trail_detail.because", why=order.why) if order and order.why else ""


def _unexplained(detail: str, _content: Content, _t: Words) -> str:
    """Of another incident: it has its own lines."""
    return detail[:8]


def _hosts(detail: str, content: Content, _t: Words) -> str:
    return ", ".join(content.known.host(one) for one in detail.split(","))


def _scopes(detail: str, _content: Content, t: Words) -> str:
    """Of a tool's token: its name, and what it may do."""
    name, _, scopes = detail.rpartition(": ")
    keys = [f"scope.{scope.replace(':', '_')}" for scope in scopes.split()]
    if not all(map(t.has, keys)):
        return detail
    return _pair(name, ", ".join(map(t, keys)), t)


def _hook(detail: str, _content: Content, t: Words) -> str:
    """Why an address that is told was stopped."""
    if t.has(f"hook_why.{detail}"):
        return t(f"hook_why.{detail}")
    return t("hook_why.status", code=detail.removeprefix("status "))


def _key(detail: str, _content: Content, t: Words) -> str:
    """The beginning of a public key."""
    return t("trail_detail.public_key", which=detail)


def _sums(detail: str, _content: Content, t: Words) -> str:
    """Of a sheet of sums: its week, and over how many structures it goes."""
    week, _, count = detail.rpartition(", ")
    year, _, number = week.partition("-W")
    if not count.isdecimal():
        return detail
    return t("trail_detail.sums", week=number, year=year, n=int(count))


def _taken(detail: str, _content: Content, t: Words) -> str:
    """Of a call for help: the channel whose link was followed."""
    return t("trail_detail.channel", channel=detail)


def _ended(detail: str, _content: Content, t: Words) -> str:
    """Of how many sessions, and which."""
    count, _, which = detail.partition(" ")
    if not count.isdecimal():
        return detail
    said = t("trail_detail.sessions", n=int(count))
    return said if which == "(others)" else f"{said} {which}"


def _care(detail: str, content: Content, t: Words) -> str:
    """Of a service of care, and when."""
    service, _, at = detail.rpartition(" ")
    try:
        when = t.moment(dt.datetime.fromisoformat(at)).striptags()
    except ValueError:
        return detail
    return f"{content.known.services.get(service, service)}, {when}"


def _source(detail: str, _content: Content, t: Words) -> str:
    key = f"help.source_{detail}"
    return t(key) if t.has(key) else detail


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


def _as_it_is(detail: str, _content: Content, _t: Words) -> str:
    return detail


_DETAILS: dict[tuple[str, str], _Told] = {
    ("incident", "open"): _word("severity"),
    ("incident", "declare"): _declared,
    ("incident", "start_playbook"): _playbook,
    **{
        ("incident", f"playbook_{state}"): _step
        for state in ("done", "skipped", "undone", "proposed", "refused")
    },
    ("incident", "record_evidence"): _kept,
    ("incident", "record_hand_over"): _handed,
    ("incident", "record_ransom_decided"): _word("ransom"),
    ("incident", "care_resumed"): _care,
    ("incident", "care_stopped"): _care,
    ("incident", "add_task"): _task,
    ("incident", "end_task"): _task,
    ("incident", "note"): _note,
    ("incident", "acknowledged"): _note,
    ("incident", "merge"): _unexplained,
    ("incident", "split"): _hosts,
    ("person", "create"): _role,
    ("person", "grant"): _role,
    ("person", "end_grant"): _role,
    ("person", "use_recovery_code"): _left,
    ("structure", "enter"): _entered,
    ("structure", "onboard"): _onboarded,
    ("structure", "set_rota"): _count("people"),
    ("host", "forget"): _forgotten,
    ("host", "enrol"): _as_it_is,
    ("identity", "remove"): _provider_gone,
    ("identity", "link"): _word("trail_detail"),
    ("identity", "sign_out_there"): _count("sessions"),
    ("break_glass", "make"): _sheet_made,
    ("break_glass", "revoke"): _count("codes"),
    ("break_glass", "BREAK_GLASS_USED"): _sheet_used,
    ("console", "sign_in"): _signed_in,
    ("console", "end_sessions"): _ended,
    ("findings", "review"): _count("findings"),
    ("help", "ask"): _source,
    ("help", "acknowledge"): _taken,
    ("obligation", "remind"): _word("reminder"),
    ("api_token", "make"): _scopes,
    ("webhook", "disable"): _hook,
    ("vault", "enrol"): _key,
    ("insurer", "see_sums"): _sums,
    ("passkey", "counter_went_back"): _counter,
    ("server", "restore"): _state_of,
}
# What the other verbs of a kind have beside them.
_OF_A_KIND: dict[str, _Told] = {"host": _ordered, "obligation": _by_and_why}
