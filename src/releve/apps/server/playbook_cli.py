"""`releve playbook`: list, start, step, sheet."""

from pathlib import Path

import click
import msgspec

from releve.adapters.content import law, playbooks
from releve.adapters.durable import write
from releve.adapters.pdf import pdf
from releve.apps.server.case_options import (
    WordRefusedError,
    answer,
    case_options,
    desk,
    known,
    said_options,
)
from releve.apps.server.options import json_option
from releve.flow.server import playbooks as running
from releve.model.errors import ReleveError
from releve.model.playbook import Playbook, StepWord
from releve.report.playbook_sheet import sheet as sheet_page


class PlaybookUnknownError(ReleveError):
    """No playbook of that name."""

    status = 65
    remedy = "See `releve playbook list`."

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no playbook {name}.")


class NotStartedError(ReleveError):
    """The playbook was not started on this incident."""

    status = 66
    remedy = "Run `releve playbook start` on it; a closed incident must be opened again first."

    def __init__(self, name: str, incident: str) -> None:
        super().__init__(f"The playbook {name} is not under way on incident {incident}.")


@click.group()
def playbook() -> None:
    """Les fiches réflexes : les suivre, les imprimer / playbooks: follow them, print them."""


@playbook.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """Toutes les fiches, avec leurs sources / all of them, with their sources."""
    for one in playbooks().playbooks:
        facts = {
            "playbook": one.id,
            "title": one.title.fr,
            "title_en": one.title.en,
            "dated": one.dated,
            "steps": len(one.steps),
            "sources": one.sources,
        }
        said = f"{one.id:20} {one.title.fr} ({len(one.steps)} étapes, {one.dated})"
        click.echo(msgspec.json.encode(facts).decode() if as_json else said)


@playbook.command()
@case_options
@click.option("--by", required=True, help="Qui la commence / who starts it.")
@click.argument("incident")
@click.argument("name")
def start(
    home: Path, db: str, structure: str, incident: str, name: str, *, by: str, as_json: bool
) -> None:
    """Commencer la fiche NAME sur un incident / start it on an incident; twice changes nothing."""
    at, wanted = desk(home, db, structure), _named(name)
    with at.unit() as unit:
        known(unit, incident)
        run = running.start(unit, incident, wanted, at.doer(by))
    if run is None:
        raise WordRefusedError("closed")
    answer({"run": run.id, "playbook": name, "steps": len(wanted.steps)}, as_json=as_json)


@playbook.command()
@case_options
@said_options
@click.argument("incident")
@click.argument("name")
@click.argument("step_id", metavar="STEP")
@click.argument("state", type=click.Choice(["done", "skipped", "undone", "propose"]))
def step(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    name: str,
    step_id: str,
    state: str,
    *,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Dire une étape faite, passée (avec raison), reprise ; ou proposer son action aux machines.

    A proposal on one host that carries no care goes out at once; one that carries care waits for a
    named person, several hosts wait for two.
    """
    at, wanted = desk(home, db, structure), _named(name)
    doer = at.doer(by)
    with at.unit() as unit:
        found = known(unit, incident)
        own = [r for r in unit.runs((found.id, *found.merged)) if r.playbook == name]
        if not own:
            raise NotStartedError(name, incident)
        if state == "propose":
            told = running.act(unit, own[0], wanted, step_id, doer, why)
        else:
            word = StepWord(step=step_id, state=state, by=by, at=at.now, why=why)
            told = running.say(unit, own[0], wanted, word, doer)
        said = told.word(step_id)
        asked = [unit.action(a) for a in said.actions] if said else []
    facts: dict[str, object] = {
        "step": step_id,
        "state": said.state if said else "",
        "actions": [
            {"action": a.action.id, "host": a.action.host, "state": a.action.state}
            for a in asked
            if a is not None
        ],
    }
    answer(facts, as_json=as_json)


@playbook.command()
@case_options
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), required=True, help=".pdf, ou .html.")
@click.option("--lang", type=click.Choice(["fr", "en"]), default="fr", show_default=True)
def sheet(
    home: Path, db: str, structure: str, name: str, *, out: Path, lang: str, as_json: bool
) -> None:
    """La fiche à imprimer, avec les numéros de la structure / the printable sheet, with its numbers."""
    at, wanted = desk(home, db, structure), _named(name)
    with at.unit(writes=False) as unit:
        profile = unit.profile()
    outside = law().outside_help
    page = sheet_page(wanted, structure, profile, at.now.date(), lang, outside=outside)
    body = pdf(page) if out.suffix == ".pdf" else page.encode()
    write(out, body)
    answer({"sheet": str(out), "bytes": len(body)}, as_json=as_json)


def _named(name: str) -> Playbook:
    found = playbooks().named(name)
    if found is None:
        raise PlaybookUnknownError(name)
    return found
