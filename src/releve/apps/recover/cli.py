"""`releve recover`: open a clean point at once, bring it home while people work, hand it over."""

import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from types import FrameType

import click
import msgspec

from releve.apps.recover import briefing
from releve.apps.recover.driver import Driver
from releve.apps.recover.finishing import Finishing, Report
from releve.apps.recover.intent import forgetting, of_its_time
from releve.apps.recover.opening import Opening
from releve.apps.recover.ordering import Given, asked_by, care_by, check, order, renew
from releve.apps.recover.refusal import check_right, understood
from releve.apps.recover.said import ENDING, PHASES, STEPS, said, step, voice
from releve.apps.recover.sharing import Sharing
from releve.apps.recover.state import Asked, Phase, Progress, RecoveryHome
from releve.apps.recover.words import plan_options, source_options
from releve.apps.web.terminal import plain
from releve.flow.recovery.errors import (
    NoRecoveryError,
    StillInUseError,
)

_json = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")
_target = click.argument("target", type=click.Path(path_type=Path))

# What judges snapshots imports scanners and their rules: not while a practice waits for its files.
_LATER = {
    "scan": "releve.apps.recover.judging",
    "plan": "releve.apps.recover.planning",
    "hunt": "releve.apps.recover.judging",
    "accept": "releve.apps.recover.judging",
    "serve": "releve.apps.recover.serving",
    "link": "releve.apps.recover.serving",
    "log": "releve.apps.recover.serving:log_command",
}


class Recover(click.Group):
    """The commands of this module at once, the others when somebody asks for them."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import no more than this command needs."""
        if cmd_name in _LATER:
            self._load()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All."""
        self._load()
        return super().list_commands(ctx)

    def _load(self) -> None:
        for name, module in _LATER.items():
            if name not in self.commands:
                place, _, attribute = module.partition(":")
                self.add_command(getattr(import_module(place), attribute or name))


@click.group(cls=Recover)
def recover() -> None:
    """Rouvrir le dossier du cabinet tout de suite, et le ramener pendant qu'on y travaille.

    Opens a clean point at once over the vault's copy and brings it home in care order.
    """


@recover.command()
@_target
@plan_options
@source_options
@click.option("--snapshot", default="latest", help="Point sain. / Clean point. [latest]")
@click.option("--folder", default="", help="Dossier dans la sauvegarde. / Folder in the snapshot.")
@click.option("--care", default="", help="Services et patients (JSON).")
@click.option("--today", default="", help="Patients du jour, un par ligne.")
@click.option("--share", "share_name", default="", help="Ouvrir en SMB sous ce nom.")
@click.option("--share-user", "share_users", multiple=True, help="Qui y accède. [tous]")
@click.option("--interface", "interfaces", multiple=True, help="Où écouter : nom ou adresse.")
@click.option("--port", default=445, show_default=True, type=click.IntRange(1, 65535))
@click.option("--people-of", default="", help="Serveur de fichiers dont les comptes comptent.")
@click.option(
    "--at-operator", metavar="STRUCTURE", default="", help="Chez l'infogérant, pour elle."
)
@click.option(
    "--judge-minutes",
    default=15.0,
    show_default=True,
    help="Temps pour juger les sauvegardes, si aucun point sain n'est connu ; 0 : ne pas juger.",
)
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 32))
@click.option("--reserve-mb", default=512, show_default=True, help="Place laissée aux écritures.")
@click.option("--show", is_flag=True, help="Dire ce qui serait fait, et rien d'autre.")
@click.option("--background", is_flag=True, help="Rendre la main dès que le dossier est ouvert.")
@click.option("--until-local", is_flag=True, help="Finir quand tout est ici.")
@_json
def start(
    *, target: Path, background: bool, until_local: bool, show: bool, as_json: bool, **given: object
) -> None:
    r"""Ouvrir un point sain à la place de TARGET, et ramener les données dans l'ordre des soins.

    Opens a clean point at TARGET, which must be empty or absent. Killed or stopped at any moment,
    `releve recover start TARGET` goes on where it was; with --right, by another right. Where no
    clean point is known yet, the backups are judged first.

    \b
    Après une attaque, une seule commande (incident, droit ouvert, clé prêtée) :
      releve recover start /srv/cabinet --incident 8bbfe0908672a688 --right droit.json \
        --envelope enveloppe.json --private-key salle.key --share cabinet
      releve recover start /srv/cabinet --repository /var/lib/releve/vault/views/x \
        --password-file /run/cle --folder /srv/cabinet --today patients.txt

    \b
    --care, JSON: {"services": [{"name": "accueil", "rank": 1, "places": ["patients"]}],
                   "today": ["DUPONT Jean", "patients/042"]}
    """
    ordered_ns = time.time_ns()
    home = RecoveryHome(target)
    wanted = msgspec.convert(given | {"as_json": as_json}, Given)
    stands = check(home) if wanted.begins else bool(home.asked())
    if show and stands:
        _brief(home.asked(), as_json=as_json)
        return
    if stands and wanted.right:
        _end_driver(home)  # people go on working meanwhile
    if background and not show:
        _in_background(home, as_json=as_json, tells=not stands)
        return
    with home.alone(), understood(wanted), of_its_time(wanted):
        if stands and wanted.right:
            _brief(renew(home, wanted), as_json=as_json)
        elif not stands:
            with forgetting(home):
                care = care_by(wanted.care, wanted.today)
                check_right(wanted)
                asked = asked_by(home, wanted, ordered_ns)
                _brief(asked, as_json=as_json)
                if show:
                    return
                order(home, asked, care)
        _drive(home, until_local=until_local, as_json=as_json)
    if not as_json:
        ways = home.target
        open_ = f"Le dossier reste ouvert. Fermer : releve recover stop {ways}"
        click.echo(
            said(open_, f"The folder stays open. Close: releve recover stop {ways}"), err=True
        )


def _brief(asked: Asked, *, as_json: bool) -> None:
    told = briefing.told(asked)
    if as_json and told is not None:
        click.echo(msgspec.json.encode(told).decode())
    elif not as_json:
        for line in briefing.sentences(asked):
            click.echo(plain(line))


def _drive(home: RecoveryHome, *, until_local: bool, as_json: bool) -> None:
    driver = Driver(home, Teller(as_json=as_json))

    def leave(_number: int, _frame: FrameType | None) -> None:
        # Not in here: it may have come while this very thread holds the event's lock.
        threading.Thread(target=driver.stop).start()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    driver.run(until_local=until_local)


def _in_background(home: RecoveryHome, *, as_json: bool, tells: bool) -> None:
    """Have the same words driven by a process of its own; return when the folder is open."""
    words = [word for word in sys.argv[1:] if word not in {"--background", "--json"}]
    command = [sys.executable, "-m", "releve.apps.cli.main", *words]
    (home.path / "progress.json").unlink(missing_ok=True)  # the driver tells when it has opened
    with (home.path / "driver.out").open("ab") as out:
        begun = subprocess.Popen(
            [*command, *(["--json"] if as_json else [])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=out,
            start_new_session=True,
        )
    told = None
    while begun.poll() is None:
        told = home.progress()
        if told is not None and not told.waiting_for:
            break
        time.sleep(0.02)
    else:
        ended = (home.path / "driver.out").read_text(errors="replace")
        raise NoRecoveryError(str(home.target), _why(ended), _said_why(ended))
    if tells:
        _brief(home.asked(), as_json=as_json)
    Teller(as_json=as_json)(told)


def _why(ended: str) -> str:
    """What the driver said at its end, as words: of the line for programs, else as people read it."""
    try:
        told = msgspec.json.decode(ended.strip().rpartition("\n")[2], type=_Said)
    except msgspec.DecodeError:
        return _said_why(ended) or "it ended at once"
    return f"{told.message.rstrip('.')}. {told.remedy}".rstrip(" .")


def _said_why(ended: str) -> str:
    """The words of its last error; the last line where it died of something else."""
    marked, words = ended.rpartition("releve: ")[1:]
    if not marked:
        return ended.strip().rpartition("\n")[2]
    return " ".join(line.strip() for line in words.splitlines()).rstrip(" .")


class _Said(msgspec.Struct):
    """An error of ours, as `--json` tells it."""

    message: str
    remedy: str = ""


class Teller:
    """Shows progress: JSON lines on stdout, or each step once for people."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._said: set[str] = set()
        self._last = 0.0

    def __call__(self, progress: Progress) -> None:
        fresh = [name for name in progress.seconds if name not in self._said]
        now = time.monotonic()
        if not fresh and now - self._last < 0.5 and progress.running:
            return
        self._last = now
        self._said.update(fresh)
        if self._as_json:
            click.echo(msgspec.json.encode(progress).decode())
            return
        for name in fresh:
            if name in STEPS:
                click.echo(step(name, progress.seconds[name]))
        if sys.stderr.isatty():
            click.echo(f"\r{_describe(progress)}\033[K", nl=False, err=True)


@recover.command()
@_target
@_json
def status(*, target: Path, as_json: bool) -> None:
    """Dire où en est la reprise de TARGET. / Where the recovery of TARGET stands."""
    home = RecoveryHome(target)
    asked, state = home.asked(), home.state()
    told = home.progress() or Progress(
        target=asked.target, phase="", running=False, seconds={}, since_order_s=0
    )
    found = msgspec.structs.replace(
        told,
        phase=state.phase.value,
        incident=asked.incident,
        running=home.driver() is not None,
        seconds=state.seconds,
        since_order_s=round((time.time_ns() - asked.ordered_ns) / 1e9, 3),
    )
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for name, seconds in found.seconds.items():
        if name in STEPS:
            click.echo(step(name, seconds))
    click.echo(_describe(found))


@recover.command()
@_target
@click.option("--replace-doubtful", is_flag=True, help="Reprendre au coffre ce qui est douteux.")
@_json
def finish(*, target: Path, replace_doubtful: bool, as_json: bool) -> None:
    """Rendre un dossier ordinaire, vérifié ; dire ce qui a changé pendant la reprise.

    Unmounts, hands over an ordinary folder and verifies every file that nobody wrote.
    """
    home = RecoveryHome(target)
    home.asked()
    _end_driver(home)
    with home.alone():
        talk = (lambda _: None) if as_json else _talk
        report = Finishing(home, talk).run(replace_doubtful=replace_doubtful)
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        _tell_report(report)


def _talk(name: str) -> None:
    click.echo(f"… {said(*ENDING[name])}", err=True)


@recover.command()
@_target
@_json
def stop(*, target: Path, as_json: bool) -> None:
    """Fermer le dossier sans rien perdre ; `start` le rouvre. / Close it; `start` opens it again."""
    home = RecoveryHome(target)
    asked = home.asked()
    _end_driver(home)
    with home.alone():
        state, opening = home.state(), Opening(home, asked)
        Sharing(home, asked).stop()
        if state.phase in {Phase.OPEN, Phase.LOCAL}:
            until = time.monotonic() + 5.0
            if not opening.close_view(lambda _: _pause(until)):
                Sharing(home, asked).start()
                raise StillInUseError(asked.target, ())
        opening.unmount_vault(state.vault_point, state.vault)
        home.keep("state.json", msgspec.structs.replace(state, vault=None, vault_point=""))
    if as_json:
        click.echo(msgspec.json.encode({"event": "stopped", "target": asked.target}).decode())
    else:
        again = f"releve recover start {asked.target}"
        click.echo(
            said(
                f"Fermé, rien n'est perdu. Rouvrir : {again}",
                f"Closed, nothing is lost. Open again: {again}",
            )
        )


def _pause(until: float) -> bool:
    time.sleep(0.2)
    return time.monotonic() < until


def _end_driver(home: RecoveryHome) -> None:
    """Ask the driver of this recovery to end, and wait for it; by its start time, so no other."""
    found = home.driver()
    if found is None or found.pid == os.getpid():
        return
    os.kill(found.pid, signal.SIGTERM)
    until = time.monotonic() + 60.0
    while home.driver() == found and time.monotonic() < until:
        time.sleep(0.05)


def _describe(found: Progress) -> str:
    words = [said(*PHASES[Phase(found.phase)]) if found.phase else said("s'ouvre", "opening")]
    if found.files:  # after a restart they are counted anew, and only while something is to come
        home, size = f"{found.files_home}/{found.files}", voice().size(found.bytes_home)
        words.append(said(f"{home} fichiers, {size} ici", f"{home} files, {size} here"))
    if found.phase != Phase.DONE:
        words.append(said("en cours", "running") if found.running else said("à l'arrêt", "stopped"))
    if found.short_of_room:
        words.append(said("PLUS DE PLACE sur ce disque", "NO ROOM LEFT on this disk"))
    if found.waiting_for:
        names = ", ".join(found.waiting_for)
        words.append(said(f"attend la fermeture par {names}", f"waits for {names} to close it"))
    return " · ".join(words)


def _tell_report(report: Report) -> None:
    verified = report.verified + report.databases
    counts = (len(report.changed), len(report.new), len(report.renamed), len(report.deleted))
    fr = (
        "{} : {} fichiers, {} vérifiés, {} modifiés, {} nouveaux, {} renommés, {} supprimés"
        " pendant la reprise."
    )
    en = (
        "{}: {} files, {} verified, {} changed, {} new, {} renamed, {} removed during the recovery."
    )
    click.echo(said(fr, en).format(report.target, report.files, verified, *counts))
