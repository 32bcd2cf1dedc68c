"""`releve statement`: make, verify, usage. What a month of service was, signed."""

import csv
import io
import json
from pathlib import Path

import click
import msgspec

from releve.adapters.durable import write
from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.console.statement_files import KIND, Maker, make_statement
from releve.apps.server.home import Home
from releve.apps.server.onboard_names import file_word
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.structure_cli import find_structure
from releve.apps.server.trusted_key import own_key
from releve.flow.sealed import SealBroken, fingerprint, is_document, open_
from releve.flow.server.months import begun_month
from releve.flow.server.profiles import zone_name
from releve.flow.server.statements import usage as usage_of
from releve.model.errors import ReleveError
from releve.model.statement import Statement, Usage

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_month = click.option("--month", required=True, help="As 2026-11; in the structure's own time.")


class StatementBadError(ReleveError):
    """The statement, or one of its pages, is not what was signed."""

    status = 74
    remedy = "Do not rely on it. Ask for the original, or make the statement again."

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file} is not a valid service statement: {why}.")


class StatementKeyError(ReleveError):
    """The signature fits, but the key is neither this server's nor the one that was named."""

    status = 75
    remedy = "Compare the fingerprint with its issuer by telephone, then name the key with --key."

    def __init__(self, file: str, print_: str) -> None:
        super().__init__(f"{file} is signed by an unknown key ({print_}).")


@click.group()
def statement() -> None:
    """Le relevé de service d'un mois, signé ; l'usage à facturer / a month of service, signed."""
    log_to_stderr()


@statement.command()
@home_option
@db_option
@structure_option
@_month
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder; the structure gets its own in it.",
)
@json_option
def make(home: Path, db: str, structure: str, month: str, out: Path, as_json: bool) -> None:
    """Mesurer, imprimer et signer le mois d'une structure / measure, print and sign a month.

    Example: releve statement make --structure "Cabinet du Parc" --month 2026-11 --out /srv/releves
    """
    place = Home(home)
    store = open_store(place, db)
    who = Maker(actor="admin", now=SystemClock().now(), key=place.signing_key())
    kept = make_statement(store, find_structure(store, structure), month, who)
    folder = out / file_word(structure)  # pages of two structures have the same names
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in kept.files.items():
        write(folder / name, content)
    files = [str(folder / name) for name in kept.files]
    facts = {"month": kept.month, "version": kept.version, "files": files}
    click.echo(json.dumps(facts) if as_json else "\n".join(files))


@statement.command()
@home_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--key",
    default="",
    help="The server's public key, as `releve audit key` prints it there; the home's own else.",
)
@json_option
def verify(home: Path, file: Path, key: str, as_json: bool) -> None:
    """Vérifier un relevé (JSON), ou sa page ou son PDF posés à côté / check a statement.

    Example: releve statement verify releve-2026-11-v1.fr.pdf
    """
    stem = file.name if file.suffix == ".json" else file.name.rsplit(".", 2)[0] + ".json"
    beside = file.with_name(stem)
    try:
        sealed = open_(KIND, beside.read_bytes() if beside.is_file() else b"")
        made = msgspec.json.decode(sealed.body, type=Statement)
    except SealBroken as error:
        raise StatementBadError(stem, error.why) from error
    except msgspec.MsgspecError as error:
        raise StatementBadError(stem, "it is no signed statement") from error
    if beside != file and not is_document(sealed, file.name, file.read_bytes()):
        raise StatementBadError(file.name, "it is not the page that was signed")
    print_ = fingerprint(sealed.public_key)
    if sealed.public_key != (key.lower() or own_key(home).hex()):
        raise StatementKeyError(file.name, print_)
    facts = {"structure": made.name, "month": made.month.name, "key": sealed.public_key}
    words = f"{file.name} : {made.name}, {made.month.name}, signé par {print_}, inchangé depuis."
    click.echo(json.dumps(facts) if as_json else words)


@statement.command()
@home_option
@db_option
@_month
@click.option("--out", type=click.Path(path_type=Path), help="A file; standard output else.")
@json_option
def usage(home: Path, db: str, month: str, out: Path | None, as_json: bool) -> None:
    """L'usage du mois, une ligne par structure, en CSV / the month's usage as CSV, for invoices."""
    store, now = open_store(Home(home), db), SystemClock().now()
    rows = []
    for structure in store.structures():
        with store.unit(structure.id, writes=False) as unit:
            asked = begun_month(month, zone_name(unit), now)
            rows.append(usage_of(unit, structure.name, asked, now))
    if as_json:
        text = "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)
    else:
        text = as_csv(rows)
    if out is None:
        click.echo(text, nl=False)
    else:
        write(out, text.encode())


def as_csv(rows: list[Usage]) -> str:
    """Columns in the order of Usage; what was not measured is an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(Usage.__struct_fields__)
    for row in rows:
        writer.writerow([_cell(value) for value in msgspec.structs.astuple(row)])
    return file.getvalue()


def _cell(value: str | int | None) -> str:
    """A spreadsheet reads a text that begins like a formula as one: an apostrophe stops that."""
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
