"""`releve recover serve`, `link`, `log`: the working data by browser, for whom, and who opened what."""

import datetime as dt
import json
import os
import sys
from functools import partial
from pathlib import Path

import click
import msgspec

from releve.adapters.passes import Passes
from releve.adapters.system import SystemClock, log_to_stderr
from releve.adapters.tree import Tree, held_for_writing
from releve.apps.recover.opened import Opened, OpenedJournal, own_secret
from releve.apps.recover.state import Asked, Phase, RecoveryHome
from releve.apps.web.links import need_pages, tell_link, with_code_at
from releve.apps.web.listening import listener_on
from releve.apps.web.terminal import plain
from releve.model.errors import UsageError

_json = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")
_target = click.argument("target", type=click.Path(path_type=Path))
_WRITE, _LOG = "write", "log"


class There:
    """Whether what TARGET shows is the recovered folder: the view while it comes home, then itself."""

    def __init__(self, home: RecoveryHome) -> None:
        self._home = home

    def __call__(self, top: int) -> bool:
        phase = self._home.state().phase
        if phase is Phase.DONE:
            return True
        is_view = os.fstat(top).st_dev != self._home.target.parent.stat().st_dev
        return phase in {Phase.OPEN, Phase.LOCAL} and is_view


@click.command()
@_target
@click.option("--listen", default="127.0.0.1:8461", show_default=True, help="ADRESSE:PORT (VPN).")
@click.option("--name", "names", multiple=True, help="Autre nom de cette machine (certificat).")
@click.option("--read-only", is_flag=True, help="Lire seulement, pour tous.")
@_json
def serve(
    *, target: Path, listen: str, names: tuple[str, ...], read_only: bool, as_json: bool
) -> None:
    r"""Donner le dossier en cours de reprise par navigateur, à des personnes nommées, jusqu'à SIGTERM.

    The recovered folder by browser: open, search, send new versions back. Elsewhere than on
    loopback by TLS; each person comes in by a link of `releve recover link` and its code. Every
    opening is in the structure's journal (`releve recover log`).

    \b
    Exemple (chez l'infogérant, sur l'adresse du VPN de la structure) :
      releve recover serve /srv/cabinet --listen 10.8.0.1:8461
      releve recover link /srv/cabinet "Dr Martin" --may-see-log
    """
    need_pages()
    from releve.apps.recover.browsing import Room, browsing_site
    from releve.apps.recover.sealing import Seal
    from releve.apps.recover.seeking import Seeking
    from releve.apps.recover.sending import Sending
    from releve.apps.web.serving import place_of
    from releve.apps.web.serving import serve as serve_site
    from releve.apps.web.site import Site

    log_to_stderr()
    home = RecoveryHome(target)
    asked, clock = home.asked(), SystemClock()
    journal, passes = OpenedJournal(home), _passes(home)
    passes.make()
    passes.forget(clock.now())
    sending = Sending(home.path / "envois")
    sending.make()
    tree = Tree(asked.target, There(home), partial(_is_written, asked))
    seeking = Seeking(home, tree)
    tree.sweep(seeking.leftovers())
    room = Room(
        name=home.target.name,
        tree=tree,
        seal=Seal(own_secret(home.path / "pages.key")),
        journal=journal,
        seeking=seeking,
        sending=sending,
        read_only=read_only,
    )
    with listener_on(listen) as listener:
        place = place_of(listen, listener, home.path / "tls", names)
        (home.path / "pages.url").write_text(place.url + "\n")

        def told(what: str, who: str, address: str) -> None:
            how = "entered" if what == "entered" else "knocked"
            journal.note(who, address, "", how, clock.now())

        site = Site(
            f"releve-{home.target.name.encode().hex()[:24]}",
            "releve.apps.recover",
            passes,
            clock.now,
            is_secure=place.is_secure,
            told=told,
        )
        facts = {"event": "serving", "url": place.url}
        click.echo(json.dumps(facts) if as_json else f"Page : {place.url}")
        sys.stdout.flush()
        serve_site(browsing_site(site, room), listener, place)


def _is_written(asked: Asked, path: str) -> bool:
    return held_for_writing(f"{asked.target}/{path}")


def _passes(home: RecoveryHome) -> Passes:
    return Passes(home.path / "passes")


@click.command()
@_target
@click.argument("person")
@click.option("--hours", default=12.0, show_default=True, type=click.FloatRange(0.1, 72.0))
@click.option("--read-only", is_flag=True, help="Lire seulement.")
@click.option("--may-see-log", is_flag=True, help="Voir qui a ouvert quoi.")
@click.option("--code", is_flag=True, help="Demander un code même ici (toujours, ailleurs).")
@click.option("--revoke", is_flag=True, help="Reprendre ses liens et fermer ses pages, aussitôt.")
@_json
def link(
    *,
    target: Path,
    person: str,
    hours: float,
    read_only: bool,
    may_see_log: bool,
    code: bool,
    revoke: bool,
    as_json: bool,
) -> None:
    r"""Un lien à usage unique pour PERSON vers la page de `recover serve`, et son code.

    A one-time link made out to a person. Send the link, tell the code by word of mouth: neither is
    worth anything alone. That it was made is in the structure's journal.

    \b
    Exemple : releve recover link /srv/cabinet "Mme Martin" --hours 8
    """
    home = RecoveryHome(target)
    home.asked()
    passes, journal, now = _passes(home), OpenedJournal(home), dt.datetime.now(dt.UTC)
    if revoke:
        ended = passes.revoke(person)
        journal.note(person, "", "", "revoked", now)
        said = f"{ended} lien(s) et page(s) de {person} fermés."
        click.echo(json.dumps({"event": "revoked", "count": ended}) if as_json else said)
        return
    try:
        url = (home.path / "pages.url").read_text().strip()
    except FileNotFoundError as error:
        raise UsageError("run `releve recover serve` first: it tells where the page is") from error
    rights = (() if read_only else (_WRITE,)) + ((_LOG,) if may_see_log else ())
    issued = passes.issue(
        person,
        rights,
        now=now,
        hours=hours,
        session_hours=hours,
        with_code=code or with_code_at(url) or bool(home.asked().structure),
    )
    journal.note(person, "", "", "invited", now)
    tell_link(url, issued, person, as_json=as_json)


@click.command("log")
@_target
@_json
def log_command(*, target: Path, as_json: bool) -> None:
    r"""Qui a ouvert quoi, par le partage et par navigateur ; la chaîne est vérifiée d'abord.

    Who opened what; the chain is checked first. It holds clear names: it is the structure's.

    \b
    Exemple : releve recover log /srv/cabinet --json > ouvertures.jsonl
    """
    home = RecoveryHome(target)
    home.asked()
    journal = OpenedJournal(home).journal
    whole = journal.check()
    for line in journal.entries():
        click.echo(msgspec.json.encode(line).decode() if as_json else _sentence(line))
    if not as_json:
        click.echo(f"{whole.lines} ligne(s), chaîne intacte, empreinte {whole.head[:16]}", err=True)


_HOW = {
    "read": "a ouvert", "write": "a enregistré", "beside": "a déposé à côté", "delete": "a supprimé ou renommé",
    "refused": "refusé", "entered": "est entré(e)", "knocked": "code refusé", "invited": "invité(e)",
    "revoked": "liens repris",
}  # fmt: skip


def _sentence(line: Opened) -> str:
    how = _HOW.get(line.how, line.how)
    who = f"{line.via:7}  {line.user:20}  {line.address:15}"
    return plain(f"{line.at}  {who}  {how}  {line.path}".rstrip())
