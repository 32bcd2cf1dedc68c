"""Details of the audit trail of what happened: incidents, hosts, duties, dossiers, calls for help."""

import datetime as dt
import re

from releve.apps.console.trail_details import Content, Told, count, pair, word
from releve.apps.console.words import Words


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


def _by_and_why(detail: str, _content: Content, t: Words) -> str:
    """Of who decided, and the reason or the receipt's number, where one was given."""
    who, _, why = detail.partition(":")
    return pair(who, why, t)


def _declared(detail: str, content: Content, t: Words) -> str:
    """Of who told and the answers: the name may hold anything, they stand behind the last colon."""
    who, _, told = detail.rpartition(":")
    asked = {question.id: question.ask for question in content.law.question}
    said = []
    for one in told.split():
        question, _, answer = one.partition("=")
        ask = asked.get(question)
        name = t.either(ask.fr, ask.en) if ask else question
        said.append(f"{name} {t(f'answer.{answer}')}" if t.has(f"answer.{answer}") else one)
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
    return pair(content.known.pieces.get(detail, ""), detail, t)


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


def _version(detail: str, _content: Content, t: Words) -> str:
    """Of a dossier's version; signed or receipted: by whom or which number, and the hash."""
    version, _, rest = detail.partition(" ")
    said, _, sha256 = rest.rpartition(": ")
    told = (t("dossier.version", v=version.removeprefix("v")), said, sha256 and f"SHA-256 {sha256}")
    return " · ".join(filter(None, told))


def _taken(detail: str, _content: Content, t: Words) -> str:
    """Of a call for help: the channel whose link was followed."""
    return t("trail_detail.channel", channel=detail)


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


def _as_it_is(detail: str, _content: Content, _t: Words) -> str:
    return detail


DETAILS: dict[tuple[str, str], Told] = {
    ("incident", "open"): word("severity"),
    ("incident", "declare"): _declared,
    ("incident", "start_playbook"): _playbook,
    **{
        ("incident", f"playbook_{state}"): _step
        for state in ("done", "skipped", "undone", "proposed", "refused")
    },
    ("incident", "record_evidence"): _kept,
    ("incident", "record_hand_over"): _handed,
    ("incident", "record_ransom_decided"): word("ransom"),
    ("incident", "care_resumed"): _care,
    ("incident", "care_stopped"): _care,
    ("incident", "add_task"): _task,
    ("incident", "end_task"): _task,
    ("incident", "note"): _note,
    ("incident", "acknowledged"): _note,
    ("incident", "merge"): _unexplained,
    ("incident", "split"): _hosts,
    ("host", "forget"): _forgotten,
    ("host", "enrol"): _as_it_is,
    ("findings", "review"): count("findings"),
    ("help", "ask"): _source,
    ("help", "acknowledge"): _taken,
    ("obligation", "remind"): word("reminder"),
}
# What the other verbs of a kind have beside them.
OF_A_KIND: dict[str, Told] = {
    "host": _ordered,
    "obligation": _by_and_why,
    "dossier": _version,
}
