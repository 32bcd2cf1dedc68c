"""`releve backup`: set up, run, list, check; and a server to try it with."""

import datetime as dt
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
import msgspec

from releve.adapters.durable import write_new
from releve.adapters.process.gently import gently
from releve.adapters.restic.rest_server import RestServer
from releve.apps.backup.judging import after_backup, is_enabled
from releve.apps.backup.sources import pace, shown, sources
from releve.apps.backup.state import EXCLUDE, Config, State, SystemClock
from releve.flow.backup import BackupIncompleteError, due
from releve.model.backup import Backup, Progress
from releve.model.sources import Pace
from releve.report.text import Voice

_state = click.option(
    "--state", metavar="DIR", help="Dossier d'état (sinon RELEVE_BACKUP_STATE, /var/lib/…)."
)
_json = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")


@click.group()
def backup() -> None:
    """Sauvegarder les dossiers gardés vers un coffre en ajout seul.

    Backs up the protected folders with restic to an append-only server.
    """


backup.add_command(sources)
backup.add_command(pace)


@backup.command()
@click.option("--url", required=True, help="Adresse du dépôt : http(s)://hôte:port/utilisateur/")
@click.option("--user", default=socket.gethostname, help="Utilisateur du serveur (nom d'hôte).")
@click.option("--folder", "folders", multiple=True, required=True, help="Dossier à sauvegarder.")
@click.option("--exclude", multiple=True, help="Motif à laisser de côté.")
@click.option("--http-password-file", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--password-file", default="", help="Mot de passe du dépôt ; sinon il est créé.")
@click.option("--ca-file", default="", help="Autorité du serveur, si elle est privée.")
@click.option("--structure", default="", help="Nom de la structure, pour les feuilles des clés.")
@_state
@_json
def setup(
    url: str,
    user: str,
    folders: tuple[str, ...],
    exclude: tuple[str, ...],
    http_password_file: str,
    password_file: str,
    ca_file: str,
    structure: str,
    state: str | None,
    *,
    as_json: bool,
) -> None:
    """Écrire la configuration et créer le dépôt. À refaire sans risque.

    The repository's password is made here, once: keep a copy of it on paper.
    """
    kept = State(state)
    before = kept.config() if kept.is_configured() else None
    config = Config(
        sources=before.sources if before else (),
        hooks=before.hooks if before else (),
        pace=before.pace if before else Pace(),
        structure=structure or (before.structure if before else ""),
        url=url.rstrip("/") + "/",
        user=user,
        folders=tuple(str(Path(folder).absolute()) for folder in folders),
        exclude=(*EXCLUDE, *exclude),
        password_file=str(Path(password_file).absolute()) if password_file else "",
        ca_file=ca_file,
    )
    if before and not password_file and before.url == config.url:
        # After a change of generation the password is not the first one any more.
        config = msgspec.structs.replace(config, password_file=before.password_file)
    kept.configure(config, Path(http_password_file).read_text().strip())
    made = kept.engine().init()
    place = config.password_file or str(kept.password_file)
    if as_json:
        _print({"event": "setup", "made": made, "password_file": place})
        return
    click.echo("Dépôt créé." if made else "Le dépôt existait déjà ; il s'ouvre.")
    click.echo(f"Mot de passe du dépôt : {place}. Gardez-en une copie sur papier.")


@backup.command()
@click.option("--if-due", is_flag=True, help="Ne rien faire si ce n'est pas encore l'heure.")
@click.option(
    "--judge/--no-judge", default=None, help="Juger ce qui a changé (dès un `recover scan`)."
)
@_state
@_json
def run(state: str | None, *, if_due: bool, judge: bool | None, as_json: bool) -> None:
    """Faire une sauvegarde maintenant.

    With --if-due this may be called each minute: it then backs up once an hour, or as
    `releve backup pace` says.
    """
    kept = State(state)
    config = kept.config()
    every = dt.timedelta(minutes=config.pace.every_minutes)
    if if_due and not due(SystemClock().now(), kept.load().started_at, every):
        if as_json:
            _print({"event": "not_due"})
        return
    try:
        with gently(config.pace.nice, config.pace.io):
            made = kept.run().run(config.folders, config.exclude, _teller(as_json=as_json))
    except BackupIncompleteError:
        if (incomplete := kept.load().backup) is not None:
            _tell_made(incomplete, as_json=as_json)
        raise
    _tell_made(made, as_json=as_json)
    if is_enabled(kept) if judge is None else judge:
        with gently(config.pace.nice, config.pace.io):
            after_backup(kept, made.snapshot, as_json=as_json)


@backup.command(name="list")
@_state
@_json
def list_(state: str | None, *, as_json: bool) -> None:
    """Lister les sauvegardes, la plus ancienne d'abord."""
    for snapshot in State(state).engine().snapshots():
        if as_json:
            _print(snapshot)
        else:
            when, folders = snapshot.at.astimezone(), ", ".join(snapshot.folders)
            click.echo(f"{when:%Y-%m-%d %H:%M:%S}  {snapshot.id[:8]}  {folders}")


@backup.command()
@click.option("--read-data", is_flag=True, help="Relire chaque octet (long).")
@_state
@_json
def check(state: str | None, *, read_data: bool, as_json: bool) -> None:
    """Vérifier le dépôt."""
    State(state).engine().check(read_data=read_data)
    if as_json:
        _print({"event": "checked", "read_data": read_data})
    else:
        click.echo("Le dépôt est sain." if read_data else "La structure du dépôt est saine.")


@backup.command(name="serve-dev")
@click.option("--path", "folder", required=True, help="Dossier des dépôts.")
@click.option(
    "--listen", default="127.0.0.1:0", show_default=True, help="Adresse ; port 0 : libre."
)
@click.option("--user", default=socket.gethostname, help="Utilisateur à créer (nom d'hôte).")
@click.option("--http-password-file", required=True, help="Son mot de passe ; créé s'il manque.")
@_json
def serve_dev(
    folder: str, listen: str, user: str, http_password_file: str, *, as_json: bool
) -> None:
    """Un serveur de sauvegarde en ajout seul, au premier plan, pour essayer.

    Plain HTTP: on loopback or behind TLS only. Ends at SIGTERM or Ctrl-C.
    """
    signal.signal(signal.SIGTERM, _leave)
    server = RestServer(folder, listen)
    secret = Path(http_password_file)
    known = secret.read_text().strip() if secret.exists() else None
    password = server.add_user(user, known)
    if known is None:
        write_new(secret, password.encode())
    with server:
        if as_json:
            _print({"event": "ready", "url": server.url(user), "user": user, "pid": server.pid})
        else:
            click.echo(f"Prêt : {server.url(user)} (ajout seul). Ctrl-C pour arrêter.")
        server.wait()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _teller(*, as_json: bool) -> "Teller":
    return Teller(as_json=as_json)


class Teller:
    """Shows progress: JSON lines on stdout, or one changing line on a terminal's stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._last: dt.datetime | None = None

    def __call__(self, progress: Progress) -> None:
        now = SystemClock().now()
        if self._last is not None and now - self._last < dt.timedelta(milliseconds=400):
            return
        self._last = now
        if self._as_json:
            _print(progress)
        elif sys.stderr.isatty():
            part = f"{progress.percent:5.1f} %" if progress.percent is not None else ""
            click.echo(f"\r{part} {progress.files} fichiers\033[K", nl=False, err=True)


def _tell_made(made: Backup, *, as_json: bool) -> None:
    if as_json:
        _print(made)
        return
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    said = Voice("fr")
    whole, sent = said.size(made.bytes), said.size(made.bytes_added)
    bases = "base copiée" if made.databases in (0, 1) else "bases copiées"
    click.echo(
        f"Sauvegarde {made.snapshot[:8]} : {said.number(made.files)} fichiers, {whole}, dont"
        f" {said.number(made.files_new)} nouveaux et {said.number(made.files_changed)} modifiés ;"
        f" {sent} envoyés en {said.duration(made.ms)} ; {made.databases} {bases} de façon cohérente."
    )
    for dump in made.dumps:
        rows = sum(count.low for count in dump.rows.values())
        click.echo(
            f"{dump.source} : {said.size(dump.size)}, {len(dump.rows)} tables, {rows} lignes."
        )
    for images in made.images:
        coming = sum(study.arriving for study in images.studies)
        click.echo(
            f"{images.source} : {images.files} images, {len(images.studies)} examens, "
            f"{coming} encore en arrivée."
        )
    for lack in made.lacks:
        click.echo(f"ALERTE {lack.source} : {shown(lack)}", err=True)
    for skipped in made.skipped:
        click.echo(f"Base copiée telle quelle : {skipped.path} ({skipped.why})", err=True)


def _print(what: object) -> None:
    click.echo(msgspec.json.encode(what).decode())
