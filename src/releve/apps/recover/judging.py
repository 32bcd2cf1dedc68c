"""`releve recover scan`, `hunt` and `accept`: what the snapshots are worth."""

import re
from pathlib import Path

import click
import msgspec

from releve.adapters.restic.engine import Restic
from releve.apps.backup.judging import (
    WORDS,
    Teller,
    catalogue,
    check_backed_up,
    is_enabled,
    scan_now,
    tell_scanned,
)
from releve.apps.backup.state import State, SystemClock
from releve.apps.recover.said import said, voice
from releve.apps.web.terminal import plain
from releve.flow.scan import hunt as judge_again
from releve.flow.scan_ports import RulesError
from releve.model.clean import Verdict, Why
from releve.recover.clean_point import standing

_state = click.option(
    "--state", metavar="DIR", help="Dossier d'état (sinon RELEVE_BACKUP_STATE, /var/lib/…)."
)
_json = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")
_SHA256 = re.compile(r"\b[0-9a-fA-F]{64}\b")


@click.command()
@click.option("--minutes", type=float, default=None, help="Temps accordé (5 par défaut).")
@click.option("--list", "listed", is_flag=True, help="Montrer ce qui a été jugé, sans rien lire.")
@click.option("--no-live", is_flag=True, help="Tout lire dans le coffre, rien sur ce disque.")
@click.option(
    "--mounted",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Où le dépôt est monté (il y a `ids/`) : lu là, sans rien restaurer.",
)
@_state
@_json
def scan(
    state: str | None,
    *,
    minutes: float | None,
    listed: bool,
    no_live: bool,
    mounted: Path | None,
    as_json: bool,
) -> None:
    """Juger ce qui a changé dans chaque sauvegarde pas encore jugée.

    Judges what changed in each snapshot: witnesses, structure, uniformity, rules, indicators.
    What the time does not suffice for comes first next time. Example: releve recover scan --minutes 20
    """
    kept = State(state)
    if listed:
        _list(kept, as_json=as_json)
        return
    told = Teller(as_json=as_json)
    for done in scan_now(kept, minutes, live=not no_live, mounted=mounted, teller=told):
        tell_scanned(done, as_json=as_json)


def judge_first(
    state: State, minutes: float, user: str, http_password_file: str, *, as_json: bool
) -> None:
    """Judge what waits before a recovery that knows no clean point. What is left stays *not judged*.

    Args:
        user: who reads at the vault, with the file of the secret; empty: this machine by its own right.

    Raises: those of `scan_now`.
    """
    if not as_json:
        most = voice().duration(minutes * 60_000)
        click.echo(
            said(
                "Aucun point sain n'est connu partout : les sauvegardes sont jugées d'abord"
                f" ({most} au plus). Ce qui ne l'est pas à temps ne compte pas comme sain.",
                f"No clean point is known everywhere: the backups are judged first ({most} at most)."
                " What is not judged in time does not count as clean.",
            )
        )
    held = state.repository()
    if user:
        held = msgspec.structs.replace(held, user=user, http_password_file=http_password_file)
    told = Teller(as_json=as_json)
    for done in scan_now(state, minutes, teller=told, engine=Restic(held)):
        tell_scanned(done, as_json=as_json)


def _list(state: State, *, as_json: bool) -> None:
    check_backed_up(state)
    if not is_enabled(state):
        return
    with catalogue(state) as kept:
        points, accepted = kept.points(), kept.accepted()
    names = {j.data_set for point in points for j in point.judgements}
    worth = {
        (point.snapshot, name): (verdict, why)
        for name in names
        for point, verdict, why in standing(points, name, accepted)
    }
    for point in points:
        if as_json:
            _print(point)
            continue
        click.echo(f"{point.at.astimezone():%Y-%m-%d %H:%M:%S}  {point.snapshot[:8]}")
        for j in point.judgements:
            verdict, why = worth[point.snapshot, j.data_set]
            reason = f" : {why[0].fr}" if why and verdict is not Verdict.CLEAN else ""
            click.echo(f"    {WORDS[verdict]:16} {j.data_set}{reason}")


@click.command()
@click.argument("hashes", nargs=-1)
@click.option(
    "--from",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Fichier où chercher des SHA-256 (liste, CSV, événement MISP).",
)
@click.option("--name", default="indicateur", show_default=True, help="Nom de la menace.")
@_state
@_json
def hunt(
    hashes: tuple[str, ...],
    files: tuple[str, ...],
    name: str,
    state: str | None,
    *,
    as_json: bool,
) -> None:
    """Chercher des empreintes dans toutes les sauvegardes jugées, sans lire le coffre.

    A new indicator judges the past again, from the catalogue alone. Example: releve recover hunt HASH
    """
    source = ", ".join(Path(file).name for file in files) or "command line"
    texts = (*hashes, *(Path(file).read_text("utf-8", "replace") for file in files))
    wanted = {found.lower() for text in texts for found in _SHA256.findall(text)}
    if not wanted:
        raise RulesError("no SHA-256 was given")
    why = Why(code=name, fr=f"indicateur {name}", en=f"indicator {name}")
    indicators = dict.fromkeys(sorted(wanted), why)
    with catalogue(State(state)) as kept:
        kept.add_indicators(indicators, source, SystemClock().now())
        places = judge_again(kept, indicators)
        found = [row for one in indicators for row in kept.holders(one)]
    if as_json:
        rows = [{"path": p, "first": f, "until": u} for p, f, u in found]
        _print(
            {"event": "hunted", "indicators": len(wanted), "snapshots": len(places), "found": rows}
        )
        return
    click.echo(f"{len(wanted)} empreintes cherchées, {len(found)} fichiers trouvés.")
    for path, first, until in found:
        end = f" jusqu'à {until[:8]}" if until else ", encore là"
        click.echo(plain(f"  {path}  depuis {first[:8]}{end}"))


@click.command()
@click.argument("snapshot")
@click.option("--by", required=True, help="Qui l'a regardée.")
@click.option("--reason", required=True, help="Pourquoi elle est bonne.")
@_state
@_json
def accept(snapshot: str, by: str, reason: str, state: str | None, *, as_json: bool) -> None:
    """Prendre sur soi qu'une sauvegarde douteuse est bonne.

    A person says that a snapshot is good after all. Example: releve recover accept 1a2b3c --by … --reason …
    """
    with catalogue(State(state)) as kept:
        whole = kept.snapshot(snapshot)
        kept.accept(whole, by, reason, SystemClock().now())
    if as_json:
        _print({"event": "accepted", "snapshot": whole, "by": by})
    else:
        click.echo(f"Sauvegarde {whole[:8]} acceptée par {by}.")


def _print(what: object) -> None:
    click.echo(msgspec.json.encode(what).decode())
