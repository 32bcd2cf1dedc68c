"""`releve backup sources` and `pace`: what a backup takes besides folders, and how gently."""

import getpass
import shlex
import sys
from pathlib import Path

import click
import msgspec

from releve.apps.backup.state import State
from releve.flow.sources import SourceNameError, check_name
from releve.model.errors import UsageError
from releve.model.sources import (
    DicomSource,
    Hook,
    Lack,
    MariaDbSource,
    PostgresSource,
    Source,
    SqliteSource,
)

_state = click.option(
    "--state", metavar="DIR", help="Dossier d'état (sinon RELEVE_BACKUP_STATE, /var/lib/…)."
)
_json = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")
_database = click.option("--database", required=True, help="Nom de la base.")
_user = click.option("--user", default="", help="Utilisateur de la base, en lecture seule.")
_host = click.option("--host", default="", help="Machine ou dossier de la socket ; sinon local.")
_password = click.option(
    "--ask-password", is_flag=True, help="Demander le mot de passe (ou le lire sur l'entrée)."
)
_no_rows = click.option("--no-rows", is_flag=True, help="Ne pas compter les lignes.")
_WANTS = {
    "missing": "introuvable",
    "empty": "vide",
    "stale": "rien de nouveau",
    "hook": "commande en échec",
}


@click.group()
def sources() -> None:
    """Bases, images et commandes que la sauvegarde prend en plus des dossiers.

    Databases, images and commands besides the folders. Example: releve backup sources list
    """


@sources.command(name="list")
@_state
@_json
def list_(state: str | None, *, as_json: bool) -> None:
    """Lister les sources et les commandes.

    Lists sources and commands. Example: releve backup sources list
    """
    config = State(state).config()
    for one in (*config.sources, *config.hooks):
        if as_json:
            _print(one)
        elif isinstance(one, Hook):
            click.echo(f"{one.when:9} {shlex.join(one.command)}  (au plus {one.timeout_s:g} s)")
        else:
            click.echo(f"{_kind(one):9} {one.name}  {_what(one)}")


def _kind(source: Source) -> str:
    return str(type(source).__struct_config__.tag)


def _what(source: Source) -> str:
    if isinstance(source, SqliteSource):
        return source.path
    return source.folder if isinstance(source, DicomSource) else source.database


@sources.group()
def add() -> None:
    """Ajouter une source.

    Adds a source. Example: releve backup sources add postgres dossiers --database cabinet
    """


@add.command()
@click.argument("name")
@_database
@_user
@_host
@click.option("--port", default=5432, show_default=True, help="Port.")
@click.option(
    "--programs", default="", help="Dossier de pg_dump et psql (pas plus anciens que le serveur)."
)
@_password
@_no_rows
@_state
@_json
def postgres(  # the options of one command
    name: str,
    database: str,
    user: str,
    host: str,
    port: int,
    programs: str,
    state: str | None,
    *,
    ask_password: bool,
    no_rows: bool,
    as_json: bool,
) -> None:
    """Une base PostgreSQL, par pg_dump.

    Example: releve backup sources add postgres dossiers --database cabinet --user lecture --ask-password
    """
    kept = _kept(state, name)
    file = _password_file(kept, name, "*:*:*:*:{}\n", ":") if ask_password else ""
    _added(
        kept,
        PostgresSource(
            name=name,
            database=database,
            user=user,
            host=host,
            port=port,
            programs=programs,
            password_file=file,
            count_rows=not no_rows,
        ),
        as_json=as_json,
    )


@add.command()
@click.argument("name")
@_database
@_user
@_host
@click.option("--port", default=3306, show_default=True, help="Port, avec --host.")
@click.option("--socket", default="", help="Socket locale.")
@_password
@_no_rows
@_state
@_json
def mariadb(  # the options of one command
    name: str,
    database: str,
    user: str,
    host: str,
    port: int,
    socket: str,
    state: str | None,
    *,
    ask_password: bool,
    no_rows: bool,
    as_json: bool,
) -> None:
    """Une base MariaDB ou MySQL, par mariadb-dump.

    Example: releve backup sources add mariadb agenda --database agenda --user lecture --ask-password
    """
    kept = _kept(state, name)
    file = _password_file(kept, name, '[client]\npassword="{}"\n', '"') if ask_password else ""
    _added(
        kept,
        MariaDbSource(
            name=name,
            database=database,
            user=user,
            host=host,
            port=port,
            socket=socket,
            password_file=file,
            count_rows=not no_rows,
        ),
        as_json=as_json,
    )


@add.command()
@click.argument("name")
@click.argument("file")
@_state
@_json
def sqlite(name: str, file: str, state: str | None, *, as_json: bool) -> None:
    """Une base SQLite qui doit être là (les autres sont trouvées seules).

    Example: releve backup sources add sqlite patients /srv/cabinet/patients.db
    """
    kept = _kept(state, name)
    _added(kept, SqliteSource(name=name, path=str(Path(file).absolute())), as_json=as_json)


@add.command()
@click.argument("name")
@click.argument("folder")
@click.option(
    "--settle",
    default=60.0,
    show_default=True,
    help="Secondes sans écriture avant de prendre une image.",
)
@click.option(
    "--stale-days", default=7.0, show_default=True, help="Alerte sans nouvelle image ; 0 : jamais."
)
@_state
@_json
def dicom(
    name: str, folder: str, settle: float, stale_days: float, state: str | None, *, as_json: bool
) -> None:
    """Un dossier où arrivent des images DICOM.

    Images that are still being written are left for the next backup; the manifest counts each
    study. Example: releve backup sources add dicom scanner /srv/dicom
    """
    kept = _kept(state, name)
    place = str(Path(folder).absolute())
    source = DicomSource(name=name, folder=place, settle_s=settle, stale_days=stale_days)
    _added(kept, source, as_json=as_json)


@add.command()
@click.argument("when", type=click.Choice(("before", "after")))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--timeout", default=600.0, show_default=True, help="Secondes ; ensuite elle est arrêtée."
)
@_state
@_json
def hook(
    when: str, command: tuple[str, ...], timeout: float, state: str | None, *, as_json: bool
) -> None:
    """Une commande avant ou après chaque sauvegarde ; son échec est une alerte.

    No shell reads it. Example: releve backup sources add hook before -- /usr/local/sbin/export-ris
    """
    kept = State(state)
    config = kept.config()
    made = Hook(command=command, when=when, timeout_s=timeout)
    kept.reconfigure(msgspec.structs.replace(config, hooks=(*config.hooks, made)))
    if as_json:
        _print(made)
    else:
        click.echo(f"{when} : {shlex.join(command)}")


@sources.command()
@click.argument("name")
@_state
@_json
def remove(name: str, state: str | None, *, as_json: bool) -> None:
    """Ne plus prendre une source (ou les commandes `before`, `after`) ; ses sauvegardes restent.

    What was saved stays. Example: releve backup sources remove agenda
    """
    kept = State(state)
    config = kept.config()
    sources = tuple(one for one in config.sources if one.name != name)
    hooks = tuple(one for one in config.hooks if one.when != name)
    if len(sources) == len(config.sources) and len(hooks) == len(config.hooks):
        raise SourceNameError(name, "it is unknown")
    kept.reconfigure(msgspec.structs.replace(config, sources=sources, hooks=hooks))
    kept.drop_source_password(name)
    if as_json:
        _print({"event": "source_removed", "name": name})
    else:
        click.echo(f"{name} n'est plus sauvegardé ; ce qui l'a été reste.")


@sources.command()
@click.argument("name")
@click.option("--out", required=True, help="Fichier à écrire ; il ne doit pas exister.")
@click.option("--snapshot", default="", help="Sauvegarde ; sinon la dernière.")
@_state
@_json
def bring(name: str, out: str, snapshot: str, state: str | None, *, as_json: bool) -> None:
    """Reprendre la copie d'une base telle que la dernière sauvegarde l'a prise, vérifiée.

    PostgreSQL: then pg_restore -d BASE FILE; MariaDB: then mariadb < FILE.
    Example: releve backup sources bring dossiers --out dossiers.pgdump
    """
    kept = State(state)
    dumps = kept.dumps(kept.config())
    made = next((one for one in dumps.manifest(snapshot).dumps if one.source == name), None)
    if made is None:
        raise SourceNameError(name, "that backup has no dump of it")
    if Path(out).exists():
        raise UsageError(f"{out} exists.")
    dumps.fetch(made, Path(out))
    if as_json:
        _print(made)
    else:
        rows = sum(count.low for count in made.rows.values())
        click.echo(
            f"{out} : {made.database} au {made.at.astimezone():%d/%m/%Y %H:%M}, {rows} lignes."
        )


@sources.command()
@_state
@_json
def test(state: str | None, *, as_json: bool) -> None:
    """Essayer chaque source maintenant, sans sauvegarder (les commandes ne sont pas lancées).

    Asks each source now; commands are not run. Example: releve backup sources test
    """
    kept = State(state)
    config = kept.config()
    lacks = kept.try_sources(config)
    for one in config.sources:
        found = [lack for lack in lacks if lack.source == one.name]
        if as_json:
            _print({"event": "source", "name": one.name, "ok": not found, "lacks": found})
        else:
            said = "; ".join(shown(lack) for lack in found) or "en ordre"
            click.echo(f"{one.name} : {said}")
    if error := kept.lacking(lacks):
        raise error


@click.command()
@click.option("--every", type=float, help="Minutes entre deux sauvegardes (--if-due).")
@click.option(
    "--nice",
    type=click.IntRange(0, 19),
    help="Priorité du processeur : 0 comme tous, 19 en dernier.",
)
@click.option("--io", type=click.Choice(("normal", "low", "idle")), help="Priorité du disque.")
@click.option("--limit-upload", type=click.IntRange(0), help="Kio/s au plus ; 0 : sans limite.")
@_state
@_json
def pace(
    every: float | None,
    nice: int | None,
    io: str | None,
    limit_upload: int | None,
    state: str | None,
    *,
    as_json: bool,
) -> None:
    """Régler le rythme, la priorité et le débit ; sans option : les dire.

    How often, and how gently. Example: releve backup pace --every 30 --limit-upload 2000
    """
    kept = State(state)
    config = kept.config()
    given = {"every_minutes": every, "nice": nice, "io": io, "upload_kib_per_s": limit_upload}
    new = msgspec.structs.replace(
        config.pace, **{name: value for name, value in given.items() if value is not None}
    )
    if new != config.pace:
        kept.reconfigure(msgspec.structs.replace(config, pace=new))
    if as_json:
        _print(new)
        return
    limit = f"{new.upload_kib_per_s} Kio/s au plus" if new.upload_kib_per_s else "débit sans limite"
    click.echo(f"Toutes les {new.every_minutes:g} min, nice {new.nice}, disque {new.io}, {limit}.")


def shown(lack: Lack) -> str:
    """For people; the reason is the program's own words."""
    return f"{_WANTS[lack.want]} ({lack.why})"


def _added(kept: State, source: Source, *, as_json: bool) -> None:
    config = kept.config()
    kept.reconfigure(msgspec.structs.replace(config, sources=(*config.sources, source)))
    if as_json:
        _print(source)
    else:
        click.echo(f"{source.name} : ajouté. L'essayer : releve backup sources test")


def _kept(state: str | None, name: str) -> State:
    """The backup's state, which a source of this name may join. Raises: SourceNameError."""
    kept = State(state)
    check_name(name, kept.config().sources)
    return kept


def _password_file(kept: State, name: str, form: str, special: str) -> str:
    """Ask for the password and keep it in the words of its program, `special` signs escaped."""
    escaped = _asked().replace("\\", "\\\\").replace(special, f"\\{special}")
    return kept.keep_source_password(name, form.format(escaped))


def _asked() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Mot de passe : ")
    if not (said := sys.stdin.readline().rstrip("\n")):
        raise UsageError("No password came on standard input.")
    return said


def _print(what: object) -> None:
    click.echo(msgspec.json.encode(what).decode())
