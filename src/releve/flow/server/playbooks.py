"""A playbook in an incident: started, its steps said, its automatic steps proposed as actions."""

import datetime as dt

import msgspec

from releve.flow.server import actions
from releve.flow.server.casework import line_of, tell
from releve.flow.server.ordering import Doer, ask
from releve.flow.server.ports import Unit
from releve.model.incident import Incident
from releve.model.order import Action
from releve.model.playbook import Playbook, PlaybookRun, Playbooks, PlaybookStep, StepWord
from releve.respond import playbooks
from releve.respond.playbooks import PlaybookError, Proposal

_ON = ("proposed", "sent")
_MOST = 100_000


def start(unit: Unit, incident: str, playbook: Playbook, doer: Doer) -> PlaybookRun | None:
    """The run; the one that is there already. None: no such incident, or it is closed."""
    unit.hold()
    known = unit.incident(incident)
    if known is None or known.closed_at is not None:
        return None
    for run in unit.runs((known.id, *known.merged)):
        if run.playbook == playbook.id:
            return run
    run = PlaybookRun(
        id=doer.new_id(),
        incident=incident,
        playbook=playbook.id,
        dated=playbook.dated,
        started_at=doer.at,
        started_by=doer.by,
    )
    unit.put_run(run)
    line = line_of("playbook_started", run.id, doer.at, doer.by, playbook.title.fr)
    line = msgspec.structs.replace(line, why_en=playbook.title.en)
    tell(unit, incident, line, "start_playbook", playbook.id)
    return run


def say(
    unit: Unit, run: PlaybookRun, playbook: Playbook, word: StepWord, doer: Doer
) -> PlaybookRun:
    """A person's word on a step; taking an automatic one back proposes its undo. Raises: PlaybookError."""
    run = _held(unit, run)
    told = playbooks.say(run, playbook, word)
    step = playbook.step(word.step)
    before = run.word(word.step)
    incident = unit.incident(run.incident)
    if step and incident and before and before.actions:
        kept = before.actions
        if word.state == "undone":
            sent = _taken_back(unit, before, doer)
            backs = playbooks.undoing(step, incident, _askable(unit) & sent)
            kept = ask(unit, _not_asked(unit, backs, doer.at), doer)
        word = msgspec.structs.replace(word, actions=kept)
        told = playbooks.with_word(run, word)
    _keep(unit, told, playbook, word, doer)
    return told


def act(
    unit: Unit, run: PlaybookRun, playbook: Playbook, step: str, doer: Doer, why: str = ""
) -> PlaybookRun:
    """Propose what an automatic step asks of the incident's hosts; `why`: for those who decide.

    Of one host that carries no care the order goes out at once; a host that carries care waits for a
    named person, several hosts wait for two. What waits or is on its way is not asked again.

    Raises: PlaybookError.
    """
    run = _held(unit, run)
    known, incident = playbook.step(step), unit.incident(run.incident)
    if known is None or known.kind != "automatic" or incident is None:
        raise PlaybookError("step")
    if _is_closed(unit, incident):
        raise PlaybookError("closed")
    asked = playbooks.proposals(known, incident, _askable(unit))
    asked = _not_asked(unit, asked, doer.at)
    if not asked:
        raise PlaybookError("nothing")
    before = run.word(step)
    mine = before.actions if before and before.state != "undone" else ()
    made = (*mine, *ask(unit, asked, doer, why.strip()))
    word = StepWord(step=step, state="proposed", by=doer.by, at=doer.at, why=why, actions=made)
    told = playbooks.with_word(run, word)
    _keep(unit, told, playbook, word, doer)
    return told


def idle(unit: Unit, incident: Incident, step: PlaybookStep, now: dt.datetime) -> str:
    """Why `act` would do nothing: "asked" already, else the step's action; empty: something can be asked."""
    asked = playbooks.proposals(step, incident, _askable(unit))
    if not asked:
        return step.action
    return "" if _not_asked(unit, asked, now) else "asked"


def refuse(unit: Unit, content: Playbooks, action: str, doer: Doer, why: str = "") -> bool:
    """Refuse a proposal; what a playbook's step asked is told to its incident's timeline.

    False when it is no longer waiting.
    """
    why = why.strip()
    if not actions.refuse(unit, action, actor=doer.by, now=doer.at, why=why):
        return False
    record = unit.action(action)
    ids = [one for i in unit.open_incidents() for one in (i.id, *i.merged)]
    for run in unit.runs(ids):
        for word in run.words:
            if record is not None and action in word.actions:
                playbook = content.named(run.playbook)
                step = playbook.step(word.step) if playbook else None
                _tell_refused(unit, run, word.step, step, record.action, doer)
    return True


def _tell_refused(
    unit: Unit, run: PlaybookRun, name: str, step: PlaybookStep | None, action: Action, doer: Doer
) -> None:
    said = (step.say.fr, step.say.en) if step else ("", "")
    because = f" ({action.refused_why})" if action.refused_why else ""
    line = line_of("step_refused", doer.new_id(), doer.at, doer.by, said[0] + because)
    line = msgspec.structs.replace(line, why_en=said[1] + because, host=action.host)
    tell(unit, run.incident, line, "playbook_refused", _detail(run, name, action.refused_why))


def _held(unit: Unit, run: PlaybookRun) -> PlaybookRun:
    """The run as it stands now that nobody else changes it."""
    unit.hold()
    return next((r for r in unit.runs((run.incident,)) if r.id == run.id), run)


def _askable(unit: Unit) -> set[str]:
    return {host.id for host in unit.hosts()}


def _is_closed(unit: Unit, incident: Incident) -> bool:
    """An incident that became part of an open one goes on in it."""
    open_ = (incident.id in (one.id, *one.merged) for one in unit.open_incidents())
    return not any(open_)


def _not_asked(unit: Unit, asked: tuple[Proposal, ...], now: dt.datetime) -> tuple[Proposal, ...]:
    """Those that neither wait for a decision nor are on their way."""
    found = [r.action for state in _ON for r in unit.actions(state=state, most=_MOST)]
    on = {(action.host, action.task) for action in found if action.expires_at > now}
    return tuple(one for one in asked if (one.host, one.task) not in on)


def _taken_back(unit: Unit, word: StepWord, doer: Doer) -> set[str]:
    """Refuse what still waits of the word's actions; the hosts that were sent theirs."""
    sent = set()
    for identity in word.actions:
        record = unit.action(identity)
        if record is not None and record.signed is not None:
            sent.add(record.action.host)
        else:
            actions.refuse(unit, identity, actor=doer.by, now=doer.at)
    return sent


def _keep(unit: Unit, run: PlaybookRun, playbook: Playbook, word: StepWord, doer: Doer) -> None:
    unit.put_run(run)
    step = playbook.step(word.step)
    said = (step.say.fr, step.say.en) if step else ("", "")
    because = f" ({word.why.strip()})" if word.why.strip() else ""
    line = line_of(f"step_{word.state}", doer.new_id(), word.at, word.by, said[0] + because)
    line = msgspec.structs.replace(line, why_en=said[1] + because)
    detail = _detail(run, word.step, word.why.strip())
    tell(unit, run.incident, line, f"playbook_{word.state}", detail)


def _detail(run: PlaybookRun, step: str, why: str) -> str:
    """As the trail keeps it: which step, and the reason that was given."""
    return ": ".join(filter(None, (f"{run.playbook} {step}", why)))
