"""`releve papers`: list, retention, print."""

from pathlib import Path

import click
import msgspec

from releve.adapters.durable import write
from releve.adapters.pdf import pdf
from releve.apps.server.case_options import answer, case_options, desk
from releve.apps.server.options import json_option
from releve.apps.server.paper_facts import papers_in
from releve.flow.server.retention import KEEP_DAYS
from releve.model.errors import ReleveError
from releve.model.privacy import Papers, PrivacyPaper
from releve.report.html import render
from releve.report.privacy_facts import told
from releve.report.privacy_paper import BLANKS, kept_rows, paper_document
from releve.report.text import LANGS, Lang, Voice


class PaperUnknownError(ReleveError):
    """No paper of that name."""

    status = 67
    remedy = "See `releve papers list`."

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no paper {name}.")


_keep_option = click.option(
    "--keep-events",
    "keep_days",
    type=click.IntRange(0, 36500),
    default=KEEP_DAYS,
    show_default=True,
    envvar="RELEVE_KEEP_EVENTS",
    help="As the server runs with it. (RELEVE_KEEP_EVENTS)",
)
_language_option = click.option(
    "--language",
    type=click.Choice(LANGS),
    default="fr",
    show_default=True,
    help="en : aide à la lecture, le français fait foi / a reading aid, the French text counts.",
)


@click.group()
def papers() -> None:
    """Les papiers RGPD de Relève : registre, annexe, durées, information / GDPR papers."""


@papers.command("list")
@_language_option
@json_option
def list_(language: Lang, *, as_json: bool) -> None:
    """Tous les papiers / all of them."""
    for one in papers_in(language).papers:
        facts = {"paper": one.id, "title": one.title, "valid_from": one.valid_from}
        facts["about"] = one.about
        said = f"{one.id:18} {one.title} ({one.valid_from})"
        click.echo(msgspec.json.encode(facts).decode() if as_json else said)


@papers.command()
@_keep_option
@_language_option
@json_option
def retention(keep_days: int, language: Lang, *, as_json: bool) -> None:
    """Ce qui est gardé, où, combien de temps, qui l'efface / what is kept how long."""
    shelf = papers_in(language, keep_days)
    for row in kept_rows(shelf.policy, ("*",), shelf.figures):
        said = f"{row.id:16} {row.where} : {row.how_long}"
        click.echo(msgspec.json.encode(row).decode() if as_json else said)


@papers.command("print")
@case_options
@_keep_option
@_language_option
@click.option("--operator", default="", help="L'infogérant, son adresse / the managed provider.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Dossier / a folder.")
@click.option("--html", "as_html", is_flag=True, help="HTML, pas PDF / HTML, not PDF.")
@click.argument("names", nargs=-1)
def print_(
    home: Path,
    db: str,
    structure: str,
    keep_days: int,
    language: Lang,
    operator: str,
    out: Path,
    names: tuple[str, ...],
    *,
    as_html: bool,
    as_json: bool,
) -> None:
    """Les papiers d'une structure, blancs marqués / a structure's papers, blanks marked.

    Example: releve papers print --structure "Cabinet du Parc" --out /srv/papiers personnel
    """
    shelf = papers_in(language, keep_days)
    wanted = _named(shelf, names)
    at = desk(home, db, structure)
    with at.unit(writes=False) as unit:
        facts = shelf.figures | told(structure, unit.profile(), operator, language)
    facts["day"] = at.now.date().isoformat()
    blank = Voice(language).say(BLANKS)
    out.mkdir(parents=True, exist_ok=True)
    for paper in wanted:
        page = render(paper_document(paper, shelf.policy, facts, language))
        name = paper.id if language == "fr" else f"{paper.id}.{language}"
        path = out / f"{name}.{'html' if as_html else 'pdf'}"
        write(path, page.encode() if as_html else pdf(page))
        answer({"paper": str(path), "blanks": page.count(blank)}, as_json=as_json)


def _named(shelf: Papers, names: tuple[str, ...]) -> list[PrivacyPaper]:
    """Those, or all. Raises: PaperUnknownError."""
    known = {paper.id: paper for paper in shelf.papers}
    if unknown := [name for name in names if name not in known]:
        raise PaperUnknownError(unknown[0])
    return [known[name] for name in names or known]
