"""`releve dossier`: make, show, edit, sign, receipt. Never sent: a person files."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from releve.adapters.content import forms, law
from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.console.dossier_files import KINDS, file_of
from releve.apps.server.clock_options import opened
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.flow.server import dossiers, receipts
from releve.flow.server.dossiers import DossierUnknownError, Who, form_of
from releve.model.dossier import Dossier, Form
from releve.model.errors import UsageError
from releve.obligation.dossier import blanks

_LOGIN = "admin"
F = TypeVar("F", bound=Callable[..., object])


def _of_one(command: F) -> F:
    """Whose dossier it is, on which incident, of which kind."""
    which = click.argument("incident")(click.argument("kind")(command))
    return home_option(db_option(structure_option(which)))


@click.group()
def dossier() -> None:
    """Les dossiers à déposer : CNIL, portail de santé, plainte, assureur / the dossiers to file."""
    log_to_stderr()


@dossier.command()
@home_option
@db_option
@structure_option
@click.argument("incident")
@click.argument("kind", default="")
@json_option
def make(home: Path, db: str, structure: str, incident: str, kind: str, as_json: bool) -> None:
    """Préparer un dossier, ou tous / draft one, or all; what a person wrote stays."""
    store, owner = opened(home, db, structure)
    known, who = forms(), _now()
    chosen = (form_of(known, kind),) if kind else known
    with store.unit(owner) as unit:
        wanted = chosen if kind else dossiers.offered(unit, chosen)
        made = [(f, dossiers.make(unit, law(), f, incident, who)) for f in wanted]
    for form, one in made:
        _say(form, one, as_json)


@dossier.command()
@_of_one
@click.option("--form", "file", type=click.Choice(list(KINDS)), default="json", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="A file; standard output else.")
def show(
    home: Path, db: str, structure: str, incident: str, kind: str, file: str, out: Path | None
) -> None:
    """Le dossier en JSON, HTML, PDF ou DOCX / the dossier as a file."""
    store, owner = opened(home, db, structure)
    form = form_of(forms(), kind)
    with store.unit(owner, writes=False) as unit:
        made = unit.dossier(incident, kind)
        if made is None:
            raise DossierUnknownError(kind)
        body = file_of(unit, law(), form, made, file)
    if out is not None:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as kept:
            kept.write(body)
        return
    if file in ("pdf", "docx") and sys.stdout.isatty():
        raise UsageError("a PDF or a DOCX is no text: give --out FILE")
    sys.stdout.buffer.write(body)


@dossier.command()
@_of_one
@click.option(
    "--field",
    "told",
    multiple=True,
    required=True,
    metavar="FIELD=TEXT",
    help="May be repeated; an empty text leaves a blank.",
)
@click.option("--version", "seen", default=0, help="The version that was read; refused if newer.")
@json_option
def edit(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    kind: str,
    told: tuple[str, ...],
    seen: int,
    as_json: bool,
) -> None:
    """Compléter des champs : une nouvelle version, à signer / fill fields: a new version, to be signed.

    `make` and `edit` say which fields are blank; `show` has each with its name.

    Example: releve dossier edit INC cnil-initial --structure "Cabinet du Parc" --field siren=aucun
    """
    store, owner = opened(home, db, structure)
    form = form_of(forms(), kind)
    wanted = _fields(form, told)
    with store.unit(owner) as unit:
        made = dossiers.edit(unit, form, incident, wanted, _now(seen))
    _say(form, made, as_json)


@dossier.command()
@_of_one
@click.option("--name", required=True, help="Who answers for it.")
@click.option("--role", required=True, help="In which function.")
@click.option("--version", "seen", default=0, help="The version that was read; refused if newer.")
@json_option
def sign(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    kind: str,
    name: str,
    role: str,
    seen: int,
    as_json: bool,
) -> None:
    """Une personne répond du document tel qu'il est / a person answers for the document."""
    store, owner = opened(home, db, structure)
    form = form_of(forms(), kind)
    with store.unit(owner) as unit:
        made = dossiers.sign(unit, law(), form, incident, (name, role), _now(seen))
    _say(form, made, as_json)


@dossier.command()
@_of_one
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))  # fmt: skip
@click.option("--reference", required=True, help="The receipt's number.")
@click.option("--partial", "is_part", is_flag=True, help="Sent in part: the rest will follow.")
@json_option
def receipt(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    kind: str,
    path: Path,
    reference: str,
    is_part: bool,
    as_json: bool,
) -> None:
    """Joindre l'empreinte et le numéro du récépissé / attach the receipt's digest and number.

    The dossier's clock stops with this number, in the name of who signed it.
    """
    store, owner = opened(home, db, structure)
    form = form_of(forms(), kind)
    with store.unit(owner) as unit:
        who = _now()
        made = dossiers.attach(unit, form, incident, reference, path.read_bytes(), who)
        sending = receipts.Sending(login=who.login, at=who.at, is_part=is_part)
        receipts.carry(unit, law(), made, sending)
    _say(form, made, as_json)


def _fields(form: Form, told: tuple[str, ...]) -> dict[str, str]:
    """Raises: UsageError, for a field that the form has not."""
    known = {field.id for field in form.fields()}
    wanted = {}
    for one in told:
        word, sign, text = one.partition("=")
        wanted[word] = text
        if not sign or word not in known:
            names = ", ".join(sorted(known))
            raise UsageError(
                f"{one}: no FIELD=TEXT of {form.id}; its fields: {names}",
                f"{one} : pas un CHAMP=TEXTE de {form.id} ; ses champs : {names}",
            )
    return wanted


def _now(seen: int = 0) -> Who:
    return Who(login=_LOGIN, at=SystemClock().now(), seen=seen)


def _say(form: Form, made: Dossier, as_json: bool) -> None:
    gaps = [field.id for field in blanks(form, made)]
    facts = {
        "kind": made.kind,
        "version": made.version,
        "blanks": gaps,
        "sha256": made.signature.sha256 if made.signature else None,
        "receipt": made.receipt.reference if made.receipt else None,
    }
    named = f" ({', '.join(gaps)})" if gaps else ""
    line = f"{made.kind} v{made.version} : {len(gaps)} à compléter / to complete{named}"
    click.echo(json.dumps(facts) if as_json else line)
