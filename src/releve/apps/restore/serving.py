"""`releve restore serve`, `link`, `log`: the wizard as a page, who may use it, what was brought back."""

import contextlib
import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from releve.adapters.passes import Issued, Passes
from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.agent.config import DEFAULT_HOME as AGENT_HOME
from releve.apps.backup.state import BackupNotSetUpError, State
from releve.apps.box.home import DEFAULT_HOME as BOX_HOME
from releve.apps.box.home import PROTECT, Protected
from releve.apps.restore.telling import SEE, Teller
from releve.apps.web.links import need_pages, tell_link, with_code_at
from releve.apps.web.listening import listener_on
from releve.apps.web.terminal import plain
from releve.model.errors import UsageError

DEFAULT_HOME = Path("/var/lib/releve/restore")
_json = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")
_home = click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=DEFAULT_HOME,
    show_default=True,
    envvar="RELEVE_RESTORE_HOME",
    help="Dossier des liens et du journal. (RELEVE_RESTORE_HOME)",
)


def folders_here(given: Sequence[str], state: str | None) -> list[str]:
    """Where people may look: as told, else what is backed up or shared from here.

    Raises: UsageError.
    """
    found = [str(Path(folder).absolute()) for folder in given]
    if not found:
        with contextlib.suppress(BackupNotSetUpError):
            found += State(state).config().folders
        for file in sorted((BOX_HOME / PROTECT).glob("*.json")):
            found.append(msgspec.json.decode(file.read_bytes(), type=Protected).path)
    top = [f for f in dict.fromkeys(found) if not any(_is_below(f, other) for other in found)]
    if not top:
        raise UsageError("--folder: nothing is backed up or shared from here yet")
    return top


def _is_below(path: str, other: str) -> bool:
    return path != other and path.startswith(other.rstrip("/") + "/")


@click.command()
@click.option("--folder", "folders", multiple=True, help="Où chercher. [ce qui est sauvegardé]")
@click.option("--listen", default="127.0.0.1:8460", show_default=True, help="ADRESSE:PORT.")
@click.option("--name", "names", multiple=True, help="Autre nom de cette machine (certificat).")
@click.option("--for", "person", default="", help="Donner aussitôt un lien à cette personne.")
@click.option("--store", metavar="DIR", help="Réserve du gardien, si elle est ailleurs.")
@click.option("--state", metavar="DIR", help="Dossier d'état des sauvegardes.")
@click.option(
    "--agent", type=click.Path(path_type=Path), default=AGENT_HOME, envvar="RELEVE_AGENT_HOME",
    help="Dossier de l'agent : il le dit au serveur, sans nom.",
)  # fmt: skip
@_home
@_json
def serve(
    *,
    folders: tuple[str, ...],
    listen: str,
    names: tuple[str, ...],
    person: str,
    store: str | None,
    state: str | None,
    agent: Path,
    home: Path,
    as_json: bool,
) -> None:
    r"""Une page pour retrouver un fichier tel qu'il était, sans commande, jusqu'à SIGTERM.

    A page for everybody: search by name, choose a version, put it back beside or in place. On
    loopback plain, elsewhere by TLS with an authority of its own (HOME/tls/authority.pem).

    \b
    Exemple :
      releve restore serve --for "Mme Martin"
      releve restore serve --listen 192.168.1.10:8460 --name serveur.cabinet.lan
      releve restore link "Mme Martin"
    """
    need_pages()
    from releve.apps.restore.pages import wizard_site
    from releve.apps.restore.wizard import Wizard
    from releve.apps.web.serving import place_of
    from releve.apps.web.serving import serve as serve_site
    from releve.apps.web.site import Site
    from releve.apps.web.words import ZONE

    log_to_stderr()
    where = folders_here(folders, state)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with listener_on(listen) as listener:
        place = place_of(listen, listener, home / "tls", names)
        (home / "url").write_text(place.url + "\n")
        passes, teller, clock = Passes(home / "passes"), Teller(home, agent), SystemClock()
        passes.make()
        passes.forget(clock.now())
        site = Site(
            "releve-reprise",
            "releve.apps.restore",
            passes,
            clock.now,
            is_secure=place.is_secure,
            told=teller.note,
        )
        wizard = Wizard(where, state=state, store=store, zone=ZONE)
        _say_start(place.url, passes, person, with_code=place.is_secure, as_json=as_json)
        serve_site(wizard_site(site, wizard, teller), listener, place)


def _say_start(url: str, passes: Passes, person: str, *, with_code: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"event": "serving", "url": url}))
    else:
        click.echo(f"Page : {url}")
    if person:
        tell_link(url, _issue(passes, person, 12.0, with_code=with_code), person, as_json=as_json)
    sys.stdout.flush()


def _issue(
    passes: Passes, person: str, hours: float, *, with_code: bool, may_see: bool = True
) -> Issued:
    return passes.issue(
        person,
        ("write", *((SEE,) if may_see else ())),
        now=dt.datetime.now(dt.UTC),
        hours=hours,
        session_hours=hours,
        with_code=with_code,
    )


@click.command()
@click.argument("person")
@click.option("--hours", default=12.0, show_default=True, type=click.FloatRange(0.1, 72.0))
@click.option("--no-preview", is_flag=True, help="Sans voir le contenu des versions.")
@click.option("--revoke", is_flag=True, help="Reprendre ses liens et fermer ses pages.")
@_home
@_json
def link(
    *, person: str, hours: float, no_preview: bool, revoke: bool, home: Path, as_json: bool
) -> None:
    r"""Un lien à usage unique pour PERSON vers la page de `restore serve`.

    A one-time link made out to a person. Elsewhere than on loopback it needs a code besides, to be
    told by word of mouth.

    \b
    Exemple : releve restore link "Mme Martin"
    """
    passes = Passes(home / "passes")
    if revoke:
        ended = passes.revoke(person)
        said = f"{ended} lien(s) et page(s) de {person} fermés."
        click.echo(json.dumps({"event": "revoked", "count": ended}) if as_json else said)
        return
    try:
        url = (home / "url").read_text().strip()
    except FileNotFoundError as error:
        raise UsageError("run `releve restore serve` first: it tells where the page is") from error
    with_code = with_code_at(url)
    issued = _issue(passes, person, hours, with_code=with_code, may_see=not no_preview)
    tell_link(url, issued, person, as_json=as_json)


@click.command("log")
@_home
@_json
def log_command(*, home: Path, as_json: bool) -> None:
    r"""Qui a repris quoi, par la page ; la chaîne est vérifiée d'abord. Reste sur cette machine.

    Who brought what back; the chain is checked first. Clear names: it stays on this machine.

    \b
    Exemple : releve restore log --json > reprises.jsonl
    """
    journal = Teller(home, AGENT_HOME).journal
    whole = journal.check()
    for line in journal.entries():
        if as_json:
            click.echo(msgspec.json.encode(line).decode())
        else:
            said = f"{line.at}  {line.person:20}  {line.what:9}  {line.path}"
            click.echo(plain(said + (f" → {line.to}" if line.to not in {"", line.path} else "")))
    if not as_json:
        click.echo(f"{whole.lines} ligne(s), chaîne intacte, empreinte {whole.head[:16]}", err=True)
