"""`releve server backup` and `releve server restore`."""

import json
from pathlib import Path

import click
import msgspec

from releve.adapters.system import SystemClock
from releve.apps.server.audit_cli import TrailNotWholeError
from releve.apps.server.home import Home
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.state import back_up
from releve.apps.server.state import restore as restore_state


@click.command()
@home_option
@db_option
@click.argument("target", type=click.Path(path_type=Path))
@json_option
def backup(home: Path, db: str, target: Path, as_json: bool) -> None:
    """Sauvegarder le serveur lui-même / back up the server itself, while it runs.

    TARGET is a folder or a new file. The backup holds the server's keys, unencrypted, readable by you
    alone: keep it where nobody else reads, or in a repository that encrypts (`releve backup`).

    Example: releve server backup /srv/sauvegarde
    """
    place, made = back_up(Home(home), db, target, SystemClock().now())
    rows = sum(made.rows.values())
    facts = {"file": str(place), "files": len(made.files), "rows": rows}
    words = f"{place}  {len(made.files)} fichiers / files, {rows} lignes / rows (clés / keys: 0600)"
    click.echo(json.dumps(facts) if as_json else words)


@click.command()
@home_option
@db_option
@click.argument("archive", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def restore(home: Path, db: str, archive: Path, as_json: bool) -> None:
    """Rétablir le serveur dans un dossier neuf / restore the server into a new home.

    Files are held against their SHA-256 and audit trails against their signed heads before anything is
    put in place. Start the restored server with a new folder for --ship-heads: the old one proves what
    was written after the backup.

    Example: releve server restore releve-server-20261122-010000.tar.gz --home /var/lib/releve/server
    """
    done = restore_state(archive, home, db, SystemClock().now())
    faults = sum(len(one.faults) for one in done.trails)
    if as_json:
        facts = {"restored": not faults, "home": str(home), **msgspec.to_builtins(done)}
        click.echo(json.dumps(facts))
    else:
        made = done.manifest
        click.echo(f"État du / state of {made.made_at.isoformat(timespec='seconds')}")
        click.echo(f"{len(made.files)} fichiers / files, {sum(made.rows.values())} lignes / rows")
        for one in done.trails:
            click.echo(
                f"  {one.name}  {one.entries} inscriptions / entries, {one.heads} têtes / heads"
            )
    if faults:
        raise TrailNotWholeError(faults)
