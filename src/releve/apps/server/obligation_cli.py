"""`releve obligation`: list, start, send, not-due, register. Legal clocks, decided by people."""

import json
from pathlib import Path
from typing import Any

import click
import msgspec

from releve.adapters.content import forms, law
from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.server.clock_options import by_option, moment, opened
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.printable import printable
from releve.apps.server.structure_cli import structures_meant
from releve.apps.server.told_facts import told
from releve.flow.server import dossiers, duties, obligations
from releve.model.errors import UsageError
from releve.model.obligation import Decision, Obligation, State
from releve.obligation.clocks import Look, urgency

_LOGIN = "admin"


@click.group()
def obligation() -> None:
    """Les horloges légales d'un incident / the legal clocks of an incident.

    Nothing is ever sent: a person files, then says so here or in the console.
    """
    log_to_stderr()


@obligation.command("list")
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@click.option("--incident", default="", help="Only of this one.")
@json_option
def list_(home: Path, db: str, structure: str, incident: str, as_json: bool) -> None:
    """Toutes les horloges, la plus urgente d'abord / all clocks, the most urgent first.

    Without --structure those of all structures, each line with its structure's name in front.
    """
    store, now = open_store(Home(home), db), SystemClock().now()
    found: list[tuple[str, Look]] = []
    for known in structures_meant(store, structure):
        with store.unit(known.id, writes=False) as unit:
            found += [(known.name, one) for one in duties.looks(unit, law(), now, incident)]
    for name, look in sorted(found, key=lambda pair: urgency(pair[1])):
        clock = look.obligation
        line = (
            f"{look.colour:8}{clock.incident}  {clock.duty:5}{_left(look):>14}  {look.duty.name.fr}"
        )
        facts = json.dumps({"structure": name, **_facts(look)}, ensure_ascii=False)
        click.echo(facts if as_json else line if structure else printable(f"{name}  {line}"))


@obligation.command()
@home_option
@db_option
@structure_option
@click.argument("incident")
@by_option
@click.option("--role", default="", help="That person's function.")
@click.option("--first-signal", default="", help="ISO time; local where it has no offset.")
@click.option("--aware-at", default="", help="The earliest moment of reasonable certainty.")
@click.option("--significant-at", default="", help="Judged serious or significant.")
@click.option("--answer", "answers", multiple=True, help="QUESTION=ANSWER, repeatable.")
@click.option("--happened", default=None, help="What happened; no name of a patient or file.")
@click.option("--effects", default=None, help="Likely consequences for people.")
@click.option("--measures", default=None, help="Measures taken or planned.")
@json_option
def start(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    by: str,
    role: str,
    first_signal: str,
    aware_at: str,
    significant_at: str,
    answers: tuple[str, ...],
    as_json: bool,
    **texts: str | None,
) -> None:
    """Déclarer l'attaque, ou dire ce qu'on sait de plus / declare the attack, or tell more of it.

    The clocks start or move, and the dossiers are drafted. Questions and answers: docs/obligations.md.
    """
    if bad := [one for one in answers if "=" not in one]:
        raise UsageError(f"--answer: QUESTION=ANSWER is wanted, not {bad[0]}")
    store, owner = opened(home, db, structure)
    rules, now = law(), SystemClock().now()
    with store.unit(owner) as unit:
        said = obligations.Said(
            by=by,
            role=role,
            first_signal=moment(unit, first_signal),
            aware_at=moment(unit, aware_at),
            significant_at=moment(unit, significant_at),
            answers=dict(one.split("=", 1) for one in answers),
            texts={name: text for name, text in texts.items() if text is not None},
        )
        obligations.declare(unit, rules, incident, said, login=_LOGIN, now=now)
    with store.unit(owner) as unit:
        who = dossiers.Who(login=_LOGIN, at=now)
        made = dossiers.make_all(unit, rules, forms(), incident, who)
        clocks = unit.obligations(incident)
    facts = {"clocks": [c.duty for c in clocks], "dossiers": [d.kind for d in made]}
    click.echo(json.dumps(facts) if as_json else "\n".join(told(facts)))


@obligation.command()
@home_option
@db_option
@structure_option
@click.argument("incident")
@click.argument("duty")
@by_option
@click.option("--reference", default="", help="The receipt's number.")
@click.option("--at", default="", help="When it was sent; now else.")
@click.option("--partial", is_flag=True, help="In part: the rest will follow.")
@json_option
def send(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    duty: str,
    by: str,
    reference: str,
    at: str,
    partial: bool,
    as_json: bool,
) -> None:
    """Dire qu'une personne a envoyé ce qui était dû / say that a person sent what was owed."""
    store, owner = opened(home, db, structure)
    with store.unit(owner) as unit:
        decision = Decision(
            state=State.PARTIAL if partial else State.DONE,
            by=by,
            at=SystemClock().now(),
            sent_at=moment(unit, at),
            reference=reference,
        )
        clock = obligations.send(unit, law(), incident, duty, decision, login=_LOGIN)
    _say(clock, as_json)


@obligation.command("not-due")
@home_option
@db_option
@structure_option
@click.argument("incident")
@click.argument("duty")
@by_option
@click.option("--reason", required=True, help="Why; it stays in the register.")
@json_option
def not_due(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    duty: str,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Dire pourquoi un devoir n'est pas dû / say why a duty is not due."""
    store, owner = opened(home, db, structure)
    decision = Decision(state=State.NOT_DUE, by=by, at=SystemClock().now(), reason=reason)
    with store.unit(owner) as unit:
        clock = obligations.not_due(unit, law(), incident, duty, decision, login=_LOGIN)
    _say(clock, as_json)


@obligation.command()
@home_option
@db_option
@structure_option
@json_option
def register(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Le registre des violations / the breach register (GDPR 33.5), oldest first."""
    store, owner = opened(home, db, structure)
    with store.unit(owner, writes=False) as unit:
        entries = duties.breach_register(unit, law(), SystemClock().now())
    for entry in entries:
        if as_json:
            click.echo(msgspec.json.encode(entry))
            continue
        click.echo(f"{entry.aware_at:%Y-%m-%d %H:%M} UTC  {entry.incident}  {entry.facts}")
        for taken in entry.decisions:
            why = taken.reason or taken.decision.reference
            click.echo(f"  {taken.decision.state.value}: {taken.name} ({taken.decision.by}) {why}")


def _facts(look: Look) -> dict[str, Any]:
    clock = look.obligation
    return {
        "incident": clock.incident,
        "duty": clock.duty,
        "state": clock.state.value,
        "colour": look.colour,
        "started_at": clock.started_at.isoformat(),
        "due_at": clock.due_at.isoformat() if clock.due_at else None,
        "elapsed_s": look.elapsed_s,
        "left_s": look.left_s,
        "mark": look.duty.mark.value,
    }


def _left(look: Look) -> str:
    if look.obligation.state is not State.RUNNING:
        return look.obligation.state.value
    seconds = look.left_s if look.left_s is not None else look.elapsed_s
    hours = f"{abs(seconds) / 3600:.1f} h"
    if look.left_s is None:
        return f"depuis {hours}"
    return f"reste {hours}" if seconds >= 0 else f"retard {hours}"


def _say(clock: Obligation, as_json: bool) -> None:
    facts = {"incident": clock.incident, "duty": clock.duty, "state": clock.state.value}
    click.echo(json.dumps(facts) if as_json else "\n".join(told(facts)))
