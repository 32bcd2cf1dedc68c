"""`releve drill`: prove that the backups come back, and how fast."""

import datetime as dt
import secrets
from pathlib import Path

import click
import msgspec

from releve.adapters.drill import seal
from releve.adapters.drill.room import BootTicks
from releve.apps.backup.cli import Teller
from releve.apps.backup.state import State
from releve.apps.drill.asking import Agreed, forget_right
from releve.apps.drill.certify import Asked, check_there
from releve.apps.drill.certify import certify as certify_restore
from releve.apps.drill.ground import LENT, forget_lent, ground_of
from releve.apps.drill.state import DrillHome, find, is_made
from releve.apps.drill.wiring import Scene, host_name, sweep, work
from releve.apps.recover.intent import Words
from releve.apps.recover.words import source_options, state_option
from releve.flow.drill.ports import (
    CertificateKeyError,
    DrillFailedError,
    Journal,
    NothingToResumeError,
    UnknownDrillError,
)
from releve.model.drill import Certificate, Drill, Outcome, Referent, Schedule
from releve.recover.drill import next_due
from releve.report.certificate import certificate_text

_home = click.option(
    "--drills", metavar="DIR", help="Dossier des essais (sinon RELEVE_DRILL_STATE, /var/lib/…)."
)
_json = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")


@click.group()
def drill() -> None:
    """Essais de restauration : prouver que tout revient, et en combien de temps.

    Restore drills in a disposable clean room, with a signed certificate.
    """


@drill.command()
@click.option(
    "--snapshot", default="", help="Sauvegarde à restaurer (début du nom) ; sinon la dernière."
)
@click.option("--resume", is_flag=True, help="Reprendre l'essai interrompu, s'il y en a un.")
@click.option("--if-due", is_flag=True, help="Ne rien faire si aucun essai n'est dû ni interrompu.")
@click.option(
    "--patients", default="", help="Base de la liste des patients ; sinon la plus grande."
)
@click.option("--structure", default="", help="Nom de la structure, pour le certificat.")
@click.option("--room", default="", metavar="DIR", help="Où faire la salle propre.")
@click.option("--agreed", default="", metavar="NAME", help="Chemin convenu pour les essais.")
@click.option("--room-key", default="", metavar="FILE", help="Clé qui le prouve (avec --agreed).")
@state_option
@source_options
@_home
@_json
def run(
    snapshot: str,
    patients: str,
    structure: str,
    room: str,
    agreed: str,
    room_key: str,
    drills: str | None,
    *,
    resume: bool,
    if_due: bool,
    as_json: bool,
    **given: object,
) -> None:
    """Restaurer la dernière sauvegarde dans une salle propre et jetable, vérifier, certifier.

    Example: releve drill run --structure "Cabinet du Parc". With --if-due --resume this may be
    called each hour: it goes on with an interrupted drill, or starts one when the week is over.

    In a clean room, by the door that a recovery takes (an as-of view, a lent key):
    releve drill run --envelope enveloppe.json --private-key salle.key --right droit.json
    Each week by itself: --agreed essais --room-key salle-ed25519.key instead of --right.
    """
    words = msgspec.convert(given, Words)
    if not words.begins:
        config = State(words.state or None).config()  # said before a drill is ordered
        structure = structure or config.structure
    if resume and not if_due and not is_made(drills):
        raise NothingToResumeError
    home = DrillHome(drills)
    journal = home.journal()
    with journal.alone():
        sweep(home, journal, dt.datetime.now(dt.UTC))
        wanted = _which(home, journal.drills(), resume=resume, if_due=if_due)
        if wanted is None:
            if as_json:
                last = _last(journal)
                _print({"event": "not_due", "next": _next(home, journal.drills()), "last": last})
            return
        scene = Scene(structure=structure, patients=patients)
        path = Agreed(name=agreed, key_file=room_key) if agreed else None
        ground = ground_of(words, home, scene, wanted.snapshot or snapshot, path)
        if wanted not in journal.drills():
            place = str(Path(room).absolute()) if room else ""
            wanted = msgspec.structs.replace(
                wanted, snapshot=snapshot, room=place, host=ground.host
            )
            journal.order(wanted)
        teller = Teller(as_json=as_json)
        try:
            made = work(home, journal, ground.engine, wanted, ground.scene, teller)
        finally:
            forget_lent(home)
        forget_right(home.folder / LENT)
    _end(made, home, as_json=as_json)


def _end(made: Certificate, home: DrillHome, *, as_json: bool) -> None:
    """Raises: DrillFailedError."""
    _tell(made, home, as_json=as_json)
    if made.verdict != "passed":
        bad = (Outcome.FAILED, Outcome.NOT_DONE)
        raise DrillFailedError(made.id, [c.name for c in made.checks if c.outcome in bad])


def _which(home: DrillHome, known: list[Drill], *, resume: bool, if_due: bool) -> Drill | None:
    """The interrupted one, or a new one; None: none is due. Raises: NothingToResumeError."""
    open_ = [one for one in known if one.kind == "drill" and one.ended_at is None]
    if resume and open_:
        return open_[-1]
    now = BootTicks().moment()
    if if_due and now.at < _next(home, known):
        return None
    if resume and not if_due:
        raise NothingToResumeError
    name = f"{now.at:%Y%m%d-%H%M}-{secrets.token_hex(3)}"
    return Drill(id=name, host=host_name(), ordered=now)


def _last(journal: Journal) -> Certificate | None:
    """Of the newest drill that ended: whoever asks by the clock may not know of one made by hand."""
    for one in reversed(journal.drills()):
        if one.kind == "drill" and (content := journal.certificate(one.id)):
            return seal.checked(content, one.id)[0]
    return None


def _next(home: DrillHome, known: list[Drill]) -> dt.datetime:
    last = [one.ordered.at for one in known if one.kind == "drill"][-1:]
    return next_due(last[0] if last else None, home.schedule(), dt.datetime.now().astimezone())


@drill.command(name="list")
@_home
@_json
def list_(drills: str | None, *, as_json: bool) -> None:
    """Lister les essais, le plus ancien d'abord."""
    said = {"passed": "réussi", "failed": "ÉCHEC", "": "interrompu ou en cours"}
    if not is_made(drills):
        return
    for one in DrillHome(drills).journal().drills():
        if as_json:
            _print(one)
        else:
            when = one.ordered.at.astimezone()
            click.echo(f"{when:%Y-%m-%d %H:%M}  {one.id}  {said[one.verdict]}")


@drill.command()
@click.argument("name", metavar="ESSAI")
@click.option("--names", is_flag=True, help="Nommer les fichiers en cause (données de patients).")
@_home
@_json
def show(name: str, drills: str | None, *, names: bool, as_json: bool) -> None:
    """Montrer le certificat d'un essai.

    Example: releve drill show 20261122-0300. Names of files are shown only with --names, here.
    """
    if not is_made(drills):
        raise UnknownDrillError(name)
    home = DrillHome(drills)
    journal = home.journal()
    one = find(journal.drills(), name)
    if not (content := journal.certificate(one.id)):
        raise UnknownDrillError(name)
    made, _ = seal.checked(content, one.id)
    if as_json:
        _print(made)
    else:
        click.echo(certificate_text(made, "fr"))
    if names:
        for done in journal.done(one.id).values():
            for path in done.work.bad_paths:
                click.echo(f"{done.name}\t{path}", err=as_json)


@drill.command()
@click.option("--every-days", type=click.IntRange(1, 92), help="Un essai tous les N jours.")
@click.option("--hour", type=click.IntRange(0, 23), help="À partir de cette heure.")
@_home
@_json
def schedule(
    every_days: int | None, hour: int | None, drills: str | None, *, as_json: bool
) -> None:
    """Fixer ou montrer le rythme des essais ; l'agent les lance.

    Example: releve drill schedule --every-days 7 --hour 20
    """
    home = DrillHome(drills)
    plan = home.schedule()
    if every_days is not None or hour is not None:
        plan = Schedule(
            every_days=plan.every_days if every_days is None else every_days,
            hour=plan.hour if hour is None else hour,
        )
        home.set_schedule(plan)
    due = _next(home, home.journal().drills())
    if as_json:
        _print({"every_days": plan.every_days, "hour": plan.hour, "next": due})
    else:
        click.echo(
            f"Un essai tous les {plan.every_days} jours à partir de {plan.hour} h ; "
            f"le prochain : {due:%Y-%m-%d %H:%M}."
        )


@drill.command()
@click.argument("paths", nargs=-1, required=True, metavar="CHEMIN...")
@click.option("--referent", required=True, help="Nom du référent métier.")
@click.option("--role", required=True, help="Sa fonction.")
@click.option("--manifest", default="", help="Empreintes d'avant (sha256sum) à comparer.")
@click.option(
    "--database", "databases", multiple=True, help="Base restaurée : fichier ou postgresql://…"
)
@click.option("--dicom", multiple=True, help="Dossier d'images restauré.")
@click.option("--product", default="", help="Produit qui a restauré.")
@click.option("--production/--no-production", default=None, help="Remis en production, ou non.")
@click.option("--structure", default="", help="Nom de la structure, pour le certificat.")
@_home
@_json
def certify(
    paths: tuple[str, ...],
    referent: str,
    role: str,
    manifest: str,
    databases: tuple[str, ...],
    dicom: tuple[str, ...],
    product: str,
    structure: str,
    drills: str | None,
    *,
    production: bool | None,
    as_json: bool,
) -> None:
    """Certifier une restauration faite par un autre produit ; rien n'y est modifié.

    Example: releve drill certify /srv/restaure --referent "Anne Roy" --role "Cadre de santé"
    --manifest avant.sha256 --product "Veeam 13" --production
    """
    asked = Asked(
        paths=tuple(str(Path(path).absolute()) for path in paths),
        referent=Referent(name=referent, role=role, in_production=production),
        manifest=manifest,
        databases=databases,
        dicom=dicom,
        product=product,
        structure=structure,
    )
    check_there(asked)
    home = DrillHome(drills)
    _end(certify_restore(home, home.journal(), asked), home, as_json=as_json)


@drill.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key", "named", default="", help="Clé publique attendue (64 chiffres hexadécimaux)."
)
@_home
@_json
def verify(file: Path, named: str, drills: str | None, *, as_json: bool) -> None:
    """Vérifier la signature d'un certificat (JSON), ou de sa page ou de son PDF posés à côté.

    Example: releve drill verify 20261122-0300-4f1a2b.fr.pdf
    """
    stem = file.name if file.suffix == ".json" else file.name.rsplit(".", 2)[0] + ".json"
    beside = file.with_name(stem)
    made, whole = seal.checked(beside.read_bytes() if beside.is_file() else b"", stem)
    if beside != file:
        seal.check_document(file.read_bytes(), file.name, whole)
    print_ = seal.fingerprint(whole.public_key)
    known = {named.lower()} if named else _own(drills)
    if whole.public_key not in known:
        raise CertificateKeyError(file.name, print_)
    if as_json:
        _print(
            {"event": "verified", "id": made.id, "verdict": made.verdict, "key": whole.public_key}
        )
        return
    click.echo(f"{file.name} : signé par {print_}, inchangé depuis.")
    click.echo(certificate_text(made, "fr").splitlines()[0])


def _own(drills: str | None) -> set[str]:
    return {seal.public_hex(DrillHome(drills).key())} if is_made(drills) else set()


def _tell(made: Certificate, home: DrillHome, *, as_json: bool) -> None:
    folder = home.folder / "certificates"
    if as_json:
        _print({"event": "drill", "certificate": made, "file": str(folder / f"{made.id}.json")})
        return
    click.echo(certificate_text(made, "fr"))
    click.echo(f"Certificat : {folder / made.id}.fr.html (.pdf, .json)")


def _print(what: object) -> None:
    click.echo(msgspec.json.encode(what).decode())
