"""`releve key`: the recovery key on paper, its proof, keys for drills, a new generation."""

import datetime as dt
import sys
from pathlib import Path

import click
import msgspec

from releve.adapters.durable import write
from releve.adapters.keys import shares
from releve.adapters.keys.escrow import PrivateKey, PublicKey, make_pair
from releve.adapters.keys.picture import qr
from releve.adapters.pdf import PdfMissingError, pdf
from releve.adapters.restic.engine import Repository
from releve.apps.backup.state import Config, State, SystemClock
from releve.apps.cli.called import to_type
from releve.apps.key import wiring
from releve.flow.keys import (
    NEEDED,
    EnvelopeError,
    Standing,
    open_envelope,
    prove,
    standing,
)
from releve.model.errors import UsageError
from releve.model.keys import Envelope, PaperKey, Place, Proof
from releve.recover import paper
from releve.report.key_sheet import content_of, sheet

_state = click.option(
    "--state", metavar="DIR", help="Dossier d'état (sinon RELEVE_BACKUP_STATE, /var/lib/…)."
)
_json = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")
_LACKS = {
    "no_paper": ("Aucune clé de secours n'est sur papier", "key sheet"),
    "paper_never_tried": ("La clé sur papier n'a jamais été essayée", "key try"),
    "paper_tried_long_ago": ("La clé sur papier n'a pas été essayée depuis six mois", "key try"),
    "no_escrow": ("La salle propre n'a plus de clé qui vaille pour ses essais", "key escrow add"),
}
_OFFERS = {
    "escrow": "une salle propre peut faire les essais ailleurs qu'ici ; il lui faut une clé",
}


@click.group()
def key() -> None:
    """Les clés de la sauvegarde : sur papier, pour les essais, après une fuite.

    Keys of the backup: on paper, for drills, after a leak. Example: releve key sheet --call 'Dr X, 06…'
    """


@key.command(name="sheet")
@click.option(
    "--out", default="/run/releve-key-sheet", show_default=True, help="Dossier vide, privé."
)
@click.option(
    "--shares", "shared", is_flag=True, help="Trois parts, dont deux suffisent (SLIP-39)."
)
@click.option("--call", default="", help="Qui appeler la nuit, avec le numéro ; imprimé.")
@click.option("--no-pdf", is_flag=True, help="HTML seulement.")
@_state
@_json
def sheet_(
    out: str, call: str, state: str | None, *, shared: bool, no_pdf: bool, as_json: bool
) -> None:
    """Faire une clé de secours et sa feuille à imprimer.

    Adds a recovery key to the repository and writes its sheet, HTML and PDF. The key is kept
    nowhere else: print, erase the folder, then `releve key try`. Example:
    releve key sheet --call 'Mme Roy 06 12 34 56 78'
    """
    folder = wiring.sheet_folder(out)
    qr("")  # a library that is missing is told before a key is made
    split = shares.split if shared else None
    if shared:
        shares.split(bytes(paper.SECRET_BYTES))
    sheets = wiring.keys_of(State(state)).sheets(split=split, call=call)
    files = [file for one in sheets for file in _written(one, folder, with_pdf=not no_pdf)]
    mark = sheets[0].mark
    if as_json:
        _print(
            {
                "event": "key_sheet",
                "mark": mark,
                "files": files,
                "generation": sheets[0].place.generation,
            }
        )
        return
    for file in files:
        click.echo(file)
    click.echo(
        f"Clé de secours faite, repère {mark}. Imprimer, effacer {folder}, puis :"
        f" {to_type(wiring.typed('key try', State(state)))}"
    )


def _written(one: PaperKey, folder: Path, *, with_pdf: bool) -> list[str]:
    """HTML always; the PDF where it can be made."""
    html = sheet(one, qr(content_of(one)))
    name = wiring.sheet_name(one.place, one.mark, one.number)
    contents = {f"{name}.html": html.encode()}
    if with_pdf:
        try:
            contents[f"{name}.pdf"] = pdf(html)
        except PdfMissingError as missing:
            click.echo(f"PDF non fait : {missing} {missing.remedy}", err=True)
    for file, content in contents.items():
        write(folder / file, content)
    return [str(folder / file) for file in contents]


@key.command(name="try")
@click.option("--shares", "shared", is_flag=True, help="Taper deux parts au lieu de la clé.")
@click.option("--show", is_flag=True, help="Montrer ce qui est tapé.")
@click.option("--url", default="", help="Dépôt, si cette machine n'est pas celle sauvegardée.")
@click.option("--user", default="", help="Utilisateur du serveur, avec --url.")
@click.option("--http-password-file", default="", help="Son mot de passe, avec --url.")
@click.option("--ca-file", default="", help="Autorité du serveur, avec --url.")
@_state
@_json
def try_(
    url: str,
    user: str,
    http_password_file: str,
    ca_file: str,
    state: str | None,
    *,
    shared: bool,
    show: bool,
    as_json: bool,
) -> None:
    """Prouver que la clé sur papier ouvre le vrai dépôt.

    Asks for the key (never takes it as an argument; without a terminal it is read from standard
    input), opens the real repository with it alone and keeps the dated proof.
    Example: releve key try
    """
    kept = State(state)
    if url and not http_password_file:
        raise UsageError("--url needs --http-password-file.")
    config = (
        Config(url=url.rstrip("/") + "/", user=user, folders=(), ca_file=ca_file)
        if url
        else kept.config()
    )
    kept.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    typed = _typed_shares(show=show) if shared else _typed_rows(show=show)
    place = wiring.place_of(config)
    how = "shares" if shared else "typed"
    repository = _elsewhere(config, http_password_file) if url else kept.repository()
    with wiring.ring_by(paper.password_of(paper.rows_of(typed)), repository) as ring:
        proof = prove(ring, wiring.books_of(kept), SystemClock(), place, typed, how)
    _tell_proof(proof, place, as_json=as_json)


def _elsewhere(config: Config, http_password_file: str) -> Repository:
    return Repository(
        url=config.url,
        user=config.user,
        http_password_file=http_password_file,
        password_file="",
        cache="",
        ca_file=config.ca_file,
    )


def _tell_proof(proof: Proof, place: Place, *, as_json: bool) -> None:
    if as_json:
        _print(proof)
        return
    newest = (
        f", la dernière du {proof.newest_at.astimezone():%d/%m/%Y à %H:%M}"
        if proof.newest_at
        else ""
    )
    word = "sauvegardes" if proof.snapshots > 1 else "sauvegarde"
    click.echo(
        f"La clé de repère {proof.mark} ouvre le dépôt de {place.host}, génération {place.generation} : "
        f"{proof.snapshots} {word}{newest}. Preuve gardée, datée du {proof.at.astimezone():%d/%m/%Y}."
    )


def _typed_rows(*, show: bool) -> bytes:
    if not sys.stdin.isatty():
        return paper.secret_of(sys.stdin.read())
    rows = []
    for number in range(1, paper.ROWS + 1):
        while not paper.is_row(number, row := _asked(f"Rangée {number}", show=show)):
            click.echo(
                f"La rangée {number} ne tombe pas juste : la relire. Ni I, ni L, ni O, ni U.",
                err=True,
            )
        rows.append(row)
    return paper.secret_of(" ".join(rows))


def _typed_shares(*, show: bool) -> bytes:
    if not sys.stdin.isatty():
        texts = [line for line in sys.stdin.read().splitlines() if line.strip()]
    else:
        texts = [
            _asked(f"Mots de la part {n} sur {NEEDED}", show=show) for n in range(1, NEEDED + 1)
        ]
    for text in texts:
        shares.check(text)
    return shares.combine(texts)


def _asked(what: str, *, show: bool) -> str:
    answer: str = click.prompt(what, hide_input=not show, err=True)
    return answer


@key.command()
@_state
@_json
def status(state: str | None, *, as_json: bool) -> None:
    """Dire quelles clés existent, et ce qui manque.

    Tells which keys exist, when the paper was last proved, and what is lacking. Example: releve key status
    """
    kept = State(state)
    now = SystemClock().now()
    found = standing(wiring.place_of(kept.config()), wiring.books_of(kept).load(), now)
    if as_json:
        _print(_without_seals(found))
        return
    place = found.place
    click.echo(f"{place.structure or '—'} / {place.host}, génération {place.generation}")
    for one in found.keys:
        more = f"repère {one.mark}" if one.mark else f"pour {one.to}"
        click.echo(f"  {one.made_at.astimezone():%Y-%m-%d}  {one.kind:7} {one.id}  {more}")
    for lack in found.lacks:
        said, words = _LACKS[lack]
        click.echo(f"  À faire : {said} : {to_type(wiring.typed(words, kept))}")
    for offer in found.offers:
        words = to_type(wiring.typed("key escrow add", kept))
        click.echo(f"  Facultatif : {_OFFERS[offer]} : {words}")


def _without_seals(found: Standing) -> Standing:
    bare = tuple(msgspec.structs.replace(one, sealed=b"") for one in found.envelopes)
    return msgspec.structs.replace(found, envelopes=bare)


@key.command()
@click.option("--why", required=True, help="Pourquoi : fuite, incident, départ…")
@click.option("--yes", is_flag=True, help="Sans question.")
@_state
@_json
def rotate(why: str, state: str | None, *, yes: bool, as_json: bool) -> None:
    """Commencer une nouvelle génération après une fuite : nouveau dépôt, nouvelles clés.

    Every key of a repository opens the same master key: after a leak only a new repository helps.
    The next backup sends everything once. Earlier ones stay readable with their keys.
    Example: releve key rotate --why 'PC volé'
    """
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("A new generation sends everything again: confirm with --yes.")
        click.confirm("Tout sera renvoyé une fois. Continuer ?", abort=True, err=True)
    place = wiring.rotate(State(state), why)
    if as_json:
        _print({"event": "rotated", "generation": place.generation, "url": place.url})
        return
    click.echo(
        f"Génération {place.generation} : {place.url}. Les anciennes clés n'ouvrent que les anciennes."
    )
    run, printed, given = (
        to_type(wiring.typed(words, State(state)))
        for words in ("backup run", "key sheet", "key escrow add")
    )
    click.echo(f"À faire : {run}, {printed} ; si une salle propre fait des essais : {given}")


@key.group()
def escrow() -> None:
    """Confier une clé aux essais de restauration, fermée pour leur salle.

    Lends a key to drills, sealed for the clean room's public key.
    """


@escrow.command()
@click.option("--out", required=True, help="Fichier de la clé privée ; il ne doit pas exister.")
@_json
def pair(out: str, *, as_json: bool) -> None:
    """Dans la salle propre : faire sa paire de clés.

    Run in the clean room. The private key stays there; the public one goes to the hosts.
    Example: releve key escrow pair --out /etc/releve/room.key
    """
    public = make_pair(Path(out))
    if as_json:
        _print({"event": "pair", "public": public, "fingerprint": PublicKey(public).to})
    else:
        click.echo(public)


@escrow.command()
@click.option("--to", "public", required=True, help="Clé publique de la salle (64 signes).")
@click.option("--days", default=400.0, show_default=True, help="Durée de validité.")
@click.option("--out", default="", help="Fichier de l'enveloppe ; sinon sur la sortie.")
@_state
@_json
def add(public: str, days: float, out: str, state: str | None, *, as_json: bool) -> None:
    """Ajouter une clé d'essai au dépôt, et l'écrire fermée.

    Example: releve key escrow add --to 8f… --out enveloppe.json
    """
    envelope = wiring.keys_of(State(state)).escrow(PublicKey(public), dt.timedelta(days=days))
    if not out:
        _print(envelope)  # sealed: it may travel by any way
        return
    Path(out).write_bytes(msgspec.json.format(msgspec.json.encode(envelope)))
    if as_json:
        _print(msgspec.structs.replace(envelope, sealed=b""))
    else:
        click.echo(f"Enveloppe {envelope.id} : {out}, jusqu'au {envelope.expires_at:%d/%m/%Y}.")


@escrow.command()
@click.argument("envelope")
@click.option("--why", required=True, help="Pourquoi ; gardé dans le journal.")
@click.option("--out", default="", help="Fichier de l'enveloppe révoquée, à envoyer à la salle.")
@_state
@_json
def revoke(envelope: str, why: str, out: str, state: str | None, *, as_json: bool) -> None:
    """Révoquer une enveloppe.

    The room refuses it once it has the revoked one. Who opened it before keeps a key that works:
    in doubt `releve key rotate`. Example: releve key escrow revoke 2026-11-1a2b3c4d --why 'fin de contrat'
    """
    ended = wiring.keys_of(State(state)).revoke(envelope, why)
    if out:
        Path(out).write_bytes(msgspec.json.format(msgspec.json.encode(ended)))
    if as_json:
        _print(msgspec.structs.replace(ended, sealed=b""))
    else:
        click.echo(f"Enveloppe {envelope} révoquée. Si elle a pu être ouverte : releve key rotate.")


@escrow.command(name="open")
@click.argument("envelope", type=click.Path(exists=True, dir_okay=False))
@click.option("--private-key", required=True, help="Clé privée de la salle propre (0600).")
@click.option("--out", required=True, help="Fichier pour le mot de passe du dépôt (0600).")
@click.option("--why", required=True, help="Essai ou incident ; gardé dans le journal.")
@_state
@_json
def open_(
    envelope: str, private_key: str, out: str, why: str, state: str | None, *, as_json: bool
) -> None:
    """Dans la salle propre : ouvrir une enveloppe.

    Writes the repository's password to a file that only we can read, and a line to the log.
    Example: releve key escrow open e.json --private-key /etc/releve/room.key --out /run/k --why essai
    """
    try:
        found = msgspec.json.decode(Path(envelope).read_bytes(), type=Envelope)
    except msgspec.DecodeError as error:
        raise EnvelopeError(envelope, f"cannot be read: {error}") from error
    kept = State(state)
    kept.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = open_envelope(found, PrivateKey(Path(private_key)), SystemClock().now())
    wiring.books_of(kept).note("key:escrow:opened", envelope=found.id, host=found.host, why=why)
    wiring.write_secret(Path(out), secret)
    if as_json:
        _print({"event": "opened", "envelope": found.id, "file": out, "url": found.url})
    else:
        click.echo(f"Ouverte : {out} ouvre {found.url}. L'effacer après l'essai.")


def _print(what: object) -> None:
    click.echo(msgspec.json.encode(what).decode())
