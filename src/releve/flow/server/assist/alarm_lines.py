"""The calls of an attack, and what the timeline of its incident tells of them."""

from collections.abc import Sequence

import msgspec

from releve.flow.server.casework import line_of, tell
from releve.flow.server.incidents import add_lines, whole
from releve.flow.server.ports import Unit
from releve.model.finding import Severity
from releve.model.help import HelpRequest, Step
from releve.model.incident import Entry, Incident
from releve.model.sentence import Sentence

BY_TOOL = "api"  # the way by which it was taken, when the tool's own line says so already
_SAID = {
    "opened": Sentence(
        fr="Relève cherche qui est d’astreinte pour cet incident.",
        en="Relève looks for somebody on call for this incident.",
    ),
    "again": Sentence(
        fr="L’incident est plus grave, et personne ne l’a pris : l’astreinte est appelée de nouveau.",
        en="The incident is graver, and nobody has it: who is on call is being rung again.",
    ),
    "ring": Sentence(
        fr="Astreinte : on appelle {name} ({how}).", en="On call: {name} is rung ({how})."
    ),
    "nobody_on_call": Sentence(
        fr="Personne n’est d’astreinte : personne n’a été appelé.",
        en="Nobody is on call: nobody was rung.",
    ),
    "end_of_chain": Sentence(
        fr="Toute l’astreinte a été appelée ; personne n’a répondu.",
        en="Everybody on call was rung; nobody answered.",
    ),
}


def calls_for(unit: Unit, incident: Incident) -> list[HelpRequest]:
    """The open calls of this attack, with those of what became part of it; the newest first."""
    ids = {incident.id, *incident.merged}
    return [r for r in unit.attack_calls() if ids & {attack.incident for attack in r.attacks}]


def incidents_of(unit: Unit, request: HelpRequest) -> list[Incident]:
    """What it is called for, as it is now: what became part of another is that one."""
    found = (whole(unit, attack.incident) for attack in request.attacks)
    return list({one.id: one for one in found if one is not None}.values())


def waiting_beside(unit: Unit, request: HelpRequest) -> list[HelpRequest]:
    """Further calls of the same attack that nobody took."""
    beside = [r for one in incidents_of(unit, request) for r in calls_for(unit, one)]
    return [r for r in beside if r.id != request.id and r.course.acknowledged_at is None]


def note(unit: Unit, request: HelpRequest, steps: Sequence[Step]) -> None:
    """Tell the timelines what was done to reach somebody. After `Unit.hold`."""
    for incident in incidents_of(unit, request):
        for step in steps:
            if step.kind == "acknowledged":
                _note_taken(unit, incident, request, step)
        note_in(unit, incident, request, steps)


def note_in(unit: Unit, incident: Incident, request: HelpRequest, steps: Sequence[Step]) -> None:
    """The same in one timeline, where it is of that incident alone. After `Unit.hold`."""
    lines = _lines(incident, request, steps)
    known = unit.incident(incident.id) if lines else None
    if known is not None:
        add_lines(unit, known, lines)


def _note_taken(unit: Unit, incident: Incident, request: HelpRequest, step: Step) -> None:
    line = line_of("taken", _key(incident, request, step), step.at, step.name, "")
    if step.channel == BY_TOOL:
        add_lines(unit, unit.incident(incident.id) or incident, (line,))
        return
    tell(unit, incident.id, line, "acknowledged", request.id)


def _lines(incident: Incident, request: HelpRequest, steps: Sequence[Step]) -> list[Entry]:
    """One for a person who is rung, however many ways that person has."""
    lines: list[Entry] = []
    told: set[tuple[str, int]] = set()
    for step in steps:
        said = _SAID.get(step.kind)
        if said is None or (step.person, step.round) in told:
            continue
        if step.kind == "ring":
            told.add((step.person, step.round))
        how = ", ".join(s.channel for s in steps if s.kind == "ring" and s.person == step.person)
        lines.append(
            Entry(
                at=step.at,
                kind=f"call_{step.kind}",
                finding="",
                id=_key(incident, request, step),
                severity=Severity.INFO,  # what is done about it says nothing of how grave it is
                why=said.fr.format(name=step.name, how=how),
                why_en=said.en.format(name=step.name, how=how),
            )
        )
    return lines


def _key(incident: Incident, request: HelpRequest, step: Step) -> str:
    return f"{request.id[:16]}-{incident.id[:16]}-{step.number}"


def with_severity(request: HelpRequest, incident: Incident) -> HelpRequest:
    """The call, for the incident as grave as it is now."""
    ids = {incident.id, *incident.merged}
    attacks = tuple(
        msgspec.structs.replace(one, severity=incident.severity) if one.incident in ids else one
        for one in request.attacks
    )
    return msgspec.structs.replace(request, attacks=attacks)
