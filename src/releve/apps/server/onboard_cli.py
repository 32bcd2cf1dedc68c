"""`releve onboard FILE`: structures taken in from one file. `releve onboard template` prints one."""

import time
from importlib.resources import files
from pathlib import Path

import click
import msgspec

from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.server.home import Home
from releve.apps.server.onboarding import Plan, Reception, Wanted
from releve.apps.server.opening import make_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.rota_cli import unknown_address
from releve.apps.server.written import NotOfFormError, read_written
from releve.flow.server import profiles
from releve.flow.server.assist import rotas
from releve.model.errors import ReleveError

_HEX_KEY = 64


class OnboardFileError(ReleveError):
    """The file does not describe structures to take in; nothing was made."""

    status = 73
    remedy = "Start from `releve onboard template`, which explains each line."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be used: {why}")


@click.command()
@home_option
@db_option
@click.argument("path", metavar="FILE|template", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default="accueil", show_default=True)
@click.option("--minutes", type=float, help="Minutes that a technician spent: kept in the trail.")
@json_option
def onboard(
    home: Path, db: str, path: Path, out: Path, minutes: float | None, as_json: bool
) -> None:
    """Accueillir des structures : profil, machines, coffre, astreinte, compte, fiches / onboard.

    Run again after an interruption or a change of the file: nothing is doubled.

    Example: releve onboard clients.toml --out /srv/accueil --minutes 25
    """
    log_to_stderr()
    if str(path) == "template":
        text = files("releve.apps.server").joinpath("onboard.toml").read_text()
        click.echo(text, nl=False)
        return
    begun, plan, place, clock = time.monotonic(), _read(path), Home(home), SystemClock()
    store = make_store(place, db)
    reception = Reception(store, place, plan.url, out, lambda line: click.echo(line, err=True))
    taken = [reception.take(wanted, clock.now()) for wanted in plan.structures]
    seconds = round(time.monotonic() - begun, 1)
    known = {one.name: one.id for one in store.structures()}
    typed = "" if minutes is None else f", {minutes:g} min (technicien / technician)"
    for one in taken:
        if one.new or minutes is not None:
            with store.unit(known[one.structure]) as unit:
                about = f"+{len(one.new)}, {seconds} s / {len(taken)} structures{typed}"
                unit.record(clock.now(), "admin", "structure/onboarding", "onboard", about)
    if as_json:
        facts = {"seconds": seconds, "minutes": minutes, "structures": taken}
        click.echo(msgspec.json.encode(facts))
        return
    for one in taken:
        click.echo(
            f"{one.structure} : étapes faites : {len(one.new)}, déjà là : {len(one.kept)} ; {one.folder}"
        )
        for line in one.by_hand:
            click.echo(f"  à faire : {line}")
    click.echo(f"{seconds} s")


def _read(path: Path) -> Plan:
    """Raises: UsageError, OnboardFileError."""
    try:
        plan = read_written(path, Plan, "releve onboard template")
        for one in plan.structures:
            profiles.check(one.profile)
            if one.rota is not None:
                rotas.check(one.rota)
    except (NotOfFormError, profiles.ProfileError, rotas.RotaError) as error:
        raise OnboardFileError(path, str(error)) from error
    for one in plan.structures:
        if why := _wrong(one):
            raise OnboardFileError(path, f"{one.name or 'structures'}: {why}")
    if len({one.name for one in plan.structures}) < len(plan.structures):
        raise OnboardFileError(path, "one name twice")
    return plan


def _wrong(one: Wanted) -> str:
    """What does not hold; empty: it can be used."""
    if not one.name.strip() or len(set(one.hosts)) < len(one.hosts):
        return "a structure has a name, and its hosts have names of their own"
    if bool(one.vault_key) != bool(one.vault_name):
        return "vault_name and vault_key go together"
    if one.vault_key and not _is_key(one.vault_key):
        return "vault_key is 64 hex digits, as `releve vault init` prints them"
    return "rota: " + why if one.rota and (why := unknown_address(one.rota)) else ""


def _is_key(words: str) -> bool:
    try:
        return len(bytes.fromhex(words)) * 2 == _HEX_KEY
    except ValueError:
        return False
