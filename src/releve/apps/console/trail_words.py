"""An entry of the audit trail in the reader's words: what it is about, and its detail.

The trail itself keeps identifiers, and both languages where it says something; what people wrote in
it, and names that they gave, are shown as they are.
"""

import datetime as dt
import re
from collections.abc import Callable

import msgspec

from releve.apps.console.words import Words
from releve.flow.server.ports import AuditEntry
from releve.model.dossier import Form
from releve.model.law import Law
from releve.model.playbook import Playbooks


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What identifiers in the trail are of."""

    law: Law
    forms: tuple[Form, ...]
    playbooks: Playbooks


class TrailRow(msgspec.Struct, frozen=True, kw_only=True):
    """`about`: which clock or dossier, beside the object; empty for others."""

    entry: AuditEntry
    about: str
    detail: str


def row(entry: AuditEntry, content: Content, t: Words) -> TrailRow:
    kind, _, rest = entry.object.partition("/")
    told = _DETAILS.get((kind, entry.verb))
    detail = told(entry.detail, content, t) if told and entry.detail else entry.detail
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


def _both(*texts: str) -> _Told:
    """The detail says something in both languages: "français / English"."""

    def told(detail: str, _content: Content, t: Words) -> str:
        for both in texts:
            french, _, english = both.partition(" / ")
            detail = detail.replace(both, t.either(french, english))
        return detail

    return told


def _counted(**texts: str) -> _Told:
    """The detail counts something in both languages, "2 français / English": one is not many."""

    def told(detail: str, _content: Content, t: Words) -> str:
        for key, both in texts.items():
            found = re.search(rf"(\d+) {re.escape(both)}", detail)
            if found is not None:
                said = t(f"trail_detail.{key}", n=int(found[1]))
                detail = detail.replace(found[0], said)
        return detail

    return told


def _role(detail: str, _content: Content, t: Words) -> str:
    """Of a login and its role, or the role alone."""
    login, _, role = detail.rpartition(" ")
    said = t(f"access_role.{role}") if t.has(f"access_role.{role}") else role
    return f"{login} : {said}" if login else said


def _entered(detail: str, _content: Content, t: Words) -> str:
    """Of a role and the reason that was given."""
    role, colon, reason = detail.partition(": ")
    said = t(f"access_role.{role}") if t.has(f"access_role.{role}") else role
    return f"{said}{colon}{reason}"


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
    """Of a playbook and its step."""
    name, _, wanted = detail.partition(" ")
    found = content.playbooks.named(name)
    step = found.step(wanted) if found else None
    if found is None or step is None:
        return detail
    number = found.steps.index(step) + 1
    title, say = found.title.of(t.language), step.say.of(t.language)
    return t("trail_detail.step", title=title, number=number, say=say)


def _handed(detail: str, _content: Content, t: Words) -> str:
    """Of a piece of evidence and who took it."""
    piece, found, receiver = detail.partition(" to ")
    return t("trail_detail.handed", piece=piece[:8], who=receiver) if found else detail


def _ended(detail: str, _content: Content, t: Words) -> str:
    """Of how many sessions, and which."""
    count, _, which = detail.partition(" ")
    if not count.isdecimal():
        return detail
    said = t("trail_detail.sessions", n=int(count))
    return said if which == "(others)" else f"{said} {which}"


def _care(detail: str, _content: Content, t: Words) -> str:
    """Of a service of care, and when."""
    service, _, at = detail.rpartition(" ")
    try:
        return f"{service}, {t.moment(dt.datetime.fromisoformat(at)).striptags()}"
    except ValueError:
        return detail


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


_DETAILS: dict[tuple[str, str], _Told] = {
    ("incident", "open"): _word("severity"),
    ("incident", "declare"): _declared,
    ("incident", "start_playbook"): _playbook,
    **{
        ("incident", f"playbook_{state}"): _step
        for state in ("done", "skipped", "undone", "proposed", "refused")
    },
    ("incident", "record_hand_over"): _handed,
    ("incident", "record_ransom_decided"): _word("ransom"),
    ("incident", "care_resumed"): _care,
    ("incident", "care_stopped"): _care,
    ("person", "create"): _role,
    ("person", "grant"): _role,
    ("person", "end_grant"): _role,
    ("structure", "enter"): _entered,
    ("structure", "onboard"): _both("technicien / technician"),
    ("structure", "set_rota"): _counted(people="personnes / people"),
    ("host", "forget"): _counted(events="événements / events", findings="constats / findings"),
    ("identity", "remove"): _counted(accounts="comptes / accounts"),
    ("identity", "link"): _word("trail_detail"),
    ("console", "sign_in"): _signed_in,
    ("console", "end_sessions"): _ended,
    ("help", "ask"): _source,
    ("obligation", "remind"): _word("reminder"),
    ("passkey", "counter_went_back"): _counter,
    ("server", "restore"): _state_of,
}
