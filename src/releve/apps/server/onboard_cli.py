"""`releve onboard FILE`: structures taken in from one file. `releve onboard template` prints one."""

import datetime as dt
import shlex
import time
from importlib.resources import files
from pathlib import Path

import click
import msgspec

from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.server.home import Home
from releve.apps.server.onboard_plan import read
from releve.apps.server.onboard_steps import said_once
from releve.apps.server.onboard_vault import write_scripts
from releve.apps.server.onboarding import Reception, heard_at
from releve.apps.server.opening import make_store
from releve.apps.server.options import db_option, home_option, json_option


@click.command()
@home_option
@db_option
@click.argument("path", metavar="FILE|template", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default="accueil", show_default=True)
@click.option("--minutes", type=float, help="Minutes that a technician spent: kept in the trail.")
@click.option("--again", multiple=True, metavar="NAME", help="A structure that left comes back.")
@json_option
def onboard(
    home: Path,
    db: str,
    path: Path,
    out: Path,
    minutes: float | None,
    again: tuple[str, ...],
    as_json: bool,
) -> None:
    """Accueillir des structures : profil, machines, coffre, astreinte, compte, fiches / onboard.

    Run again after an interruption or a change of the file: nothing is doubled, and no structure
    comes back that left and was erased.

    Example: releve onboard clients.toml --out /srv/accueil --minutes 25
    """
    log_to_stderr()
    if str(path) == "template":
        text = files("releve.apps.server").joinpath("onboard.toml").read_text()
        click.echo(text, nl=False)
        return
    begun, plan, place, clock = time.monotonic(), read(path), Home(home), SystemClock()
    store = make_store(place, db)
    reception = Reception(store, place, plan.url, out, lambda line: click.echo(line, err=True))
    gone = {one.name: at for one in plan.structures if (at := _left_at(store, one.name))}
    here = [one for one in plan.structures if one.name in again or one.name not in gone]
    taken = [reception.take(wanted, clock.now()) for wanted in here]
    taken = [
        msgspec.structs.replace(one, by_hand=lines)
        for one, lines in zip(taken, said_once([one.by_hand for one in taken]), strict=True)
    ]
    scripts = write_scripts(here, out, heard_at(plan.url, place))
    seconds = round(time.monotonic() - begun, 1)
    known = {one.name: one.id for one in store.structures()}
    # Each structure's own part: its trail is read there, and names no other one.
    typed = "" if minutes is None else f", {minutes / max(1, len(taken)):.3g} min"
    for one in taken:
        if one.new or minutes is not None:
            with store.unit(known[one.structure]) as unit:
                about = f"+{len(one.new)}{typed}"
                unit.record(clock.now(), "admin", f"structure/{unit.structure}", "onboard", about)
    left = {name: at for name, at in gone.items() if name not in again}
    if as_json:
        names = [str(file) for file in scripts.values()]
        facts: dict[str, object] = {
            "seconds": seconds,
            "minutes": minutes,
            "structures": taken,
            "scripts": names,
        }
        facts["left"] = list(left)
        click.echo(msgspec.json.encode(facts))
        return
    for one in taken:
        click.echo(
            f"{one.structure} : étapes faites : {len(one.new)}, déjà là : {len(one.kept)} ; {one.folder}"
        )
        for line in one.by_hand:
            click.echo(f"  à faire : {line}")
    for name, at in left.items():
        click.echo(
            f"{name} : partie et effacée le {at:%d/%m/%Y}, pas accueillie de nouveau ;"
            f" l'ôter du fichier, ou --again {shlex.quote(name)}"
        )
    click.echo(f"{seconds} s")


def _left_at(store: SqlStore, name: str) -> dt.datetime | None:
    """When it was erased; None: it never left, or it is here (again)."""
    if any(one.name == name for one in store.structures()):
        return None
    kept = store.leavings().erasure(name)
    return kept.at if kept else None
