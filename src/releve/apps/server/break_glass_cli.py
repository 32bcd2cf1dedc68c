"""`releve server break-glass`: printed codes for the night when nothing else lets anybody in."""

import json
import secrets
from pathlib import Path

import click

from releve.adapters.durable import write
from releve.adapters.pdf import pdf
from releve.adapters.system import SystemClock
from releve.apps.cli.called import spoken
from releve.apps.console.words import Words
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.printable import printable
from releve.apps.server.structure_cli import find_structure
from releve.flow.server import break_glass as glass
from releve.flow.server.ports import BreakGlassCode
from releve.model.errors import ReleveError, UsageError
from releve.report.break_glass_sheet import sheet as sheet_page


class LoginUnknownError(ReleveError):
    """Nobody of the structure signs in with this login."""

    status = 79
    remedy = "Make the account first: `releve server user create`."

    def __init__(self, login: str) -> None:
        super().__init__(f"Nobody of this structure signs in as {login}.")


class SheetUnknownError(ReleveError):
    """The structure has no such sheet of codes."""

    status = 80
    remedy = "See `releve server break-glass list --structure NAME`."

    def __init__(self, sheet: str) -> None:
        super().__init__(f"There is no sheet {sheet} in this structure.")


@click.group("break-glass")
def break_glass() -> None:
    """Codes d'urgence imprimés / printed emergency codes: no phone, no passkey, no Internet."""


@break_glass.command()
@home_option
@db_option
@structure_option
@click.option("--login", required=True, help="Whose codes they are: the structure's lead.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help=".pdf, ou .html.")
@json_option
def make(home: Path, db: str, structure: str, login: str, out: Path, *, as_json: bool) -> None:
    """Faire une feuille de codes, montrée cette fois / make a sheet of codes, shown this once.

    Only digests are kept. Print it, put it under lock, destroy the file. Sheets of before stay good
    until they are revoked.
    """
    store, now = open_store(Home(home), db), SystemClock().now()
    owner = find_structure(store, structure)
    person = store.person_by_login(login.strip())
    if person is None or person.structure != owner.id:
        raise LoginUnknownError(login)
    sheet = secrets.token_hex(4)
    codes = glass.new_codes(lambda: secrets.token_bytes(32))
    page = sheet_page(owner.name, sheet, codes, now.date())
    body = pdf(page) if out.suffix == ".pdf" else page.encode()
    glass.keep(store, person, sheet, codes, actor="admin", now=now)
    write(out, body)
    facts = {"sheet": sheet, "login": person.login, "codes": len(codes), "out": str(out)}
    click.echo(json.dumps(facts) if as_json else f"{sheet}  {len(codes)} codes  {out}")


@break_glass.command("list")
@home_option
@db_option
@structure_option
@json_option
def list_(home: Path, db: str, structure: str, *, as_json: bool) -> None:
    """Les feuilles, ce qu'il en reste, ce qui a servi / sheets, what is left, what was used."""
    store = open_store(Home(home), db)
    with store.unit(find_structure(store, structure).id, writes=False) as unit:
        codes = unit.break_glass()
    for sheet in dict.fromkeys(code.sheet for code in codes):
        facts = _facts([code for code in codes if code.sheet == sheet])
        said = f"{sheet}  {facts['login']}  {facts['left']}/{facts['codes']}  {facts['made_at']}"
        click.echo(json.dumps(facts) if as_json else said)


@break_glass.command()
@home_option
@db_option
@structure_option
@click.argument("sheet")
@json_option
def revoke(home: Path, db: str, structure: str, sheet: str, *, as_json: bool) -> None:
    """Rendre sans valeur les codes restants d'une feuille / what is left of a sheet opens nothing."""
    store, now = open_store(Home(home), db), SystemClock().now()
    owner = find_structure(store, structure)
    revoked = glass.revoke(store, owner.id, sheet, actor="admin", now=now)
    if revoked is None:
        raise SheetUnknownError(sheet)
    facts = {"sheet": sheet, "revoked": revoked}
    click.echo(json.dumps(facts) if as_json else f"{sheet}  {revoked} codes")


@break_glass.command()
@home_option
@db_option
@structure_option
@click.option("--as", "name", required=True, help="Who knows of it: your own name.")
@json_option
def seen(home: Path, db: str, structure: str, name: str, *, as_json: bool) -> None:
    """Dire qu'on sait quels codes ont servi / say that the uses of codes are known.

    Their notice leaves everybody's first page, as it does when somebody says so there. Each use is
    printed: who came in, when and from where. Nothing is printed when nothing was new.

    Example: releve server break-glass seen --structure "Cabinet du Parc" --as "Dr Martin"
    """
    if not name.strip():
        raise UsageError("--as: a name is needed.")
    store, now, t = open_store(Home(home), db), SystemClock().now(), Words(spoken())
    with store.unit(find_structure(store, structure).id) as unit:
        uses = glass.know(unit, name.strip(), actor="admin", now=now)
    for use in uses:
        at = use.used_at or now
        facts = {"sheet": use.sheet, "login": use.login, "at": at.isoformat()}
        facts |= {"from": use.used_from, "seen_by": name.strip()}
        said = f"{use.sheet}  {use.login}  {t.moment(at).striptags()}  {use.used_from}"
        click.echo(json.dumps(facts, ensure_ascii=False) if as_json else printable(said))


def _facts(codes: list[BreakGlassCode]) -> dict[str, object]:
    """Of one sheet."""
    used = [
        {"at": c.used_at.isoformat(), "from": c.used_from, "seen_by": c.seen_by}
        for c in codes
        if c.used_at is not None
    ]
    return {
        "sheet": codes[0].sheet,
        "login": codes[0].login,
        "made_at": codes[0].made_at.isoformat(),
        "codes": len(codes),
        "left": len(codes) - len(used),
        "used": used,
    }
