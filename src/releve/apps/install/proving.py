"""The first backup, the first drill, the recovery key's sheet: each made once, and told to the server."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import anyio
import msgspec

from releve.adapters.spool.sqlite import SqliteSpool
from releve.adapters.system import SystemClock
from releve.apps.agent import wiring
from releve.apps.cli.exits import exits_of
from releve.apps.drill.state import DrillHome, is_made
from releve.apps.install.backing import READS
from releve.apps.install.places import Places
from releve.apps.install.telling import ShownCommands, Step
from releve.apps.install.telling import State as End
from releve.apps.key.wiring import books_of, place_of, typed
from releve.flow.agent.backup import LONGEST_SECONDS, back_up_once
from releve.flow.agent.drill import drill_once
from releve.flow.backup import BackupRunningError
from releve.flow.drill.ports import DrillRunningError
from releve.model.errors import ReleveError
from releve.model.installer import HostPlan
from releve.model.keys import KeyKind
from releve.report.text import Voice

FIRST, DRILL, SHEET = "first_backup", "first_drill", "key_sheet"
_JUDGED = {
    "clean": "jugée saine",
    "unjudged": "pas encore jugée en entier : l'agent continue après chaque sauvegarde",
    "suspect": "jugée DOUTEUSE",
    "bad": "jugée ATTEINTE",
}
_WHY_BY_HAND = "la clé n'est écrite nulle part ailleurs, et une imprimante partagée la garderait"


class StepFailedError(ReleveError):
    """A command of the installation failed; its own words are above."""

    status = 67
    remedy = "Mend what it says, then run the installer again: it goes on from there."

    def __init__(self, what: str, said: str, remedy: str, inner: str = "") -> None:
        """`inner`: the name of the class that the command ended with, where it is known."""
        super().__init__(f"{what} : {said}" if said else what)
        self.what, self.detail, self.inner = what, said, inner
        if remedy:
            self.remedy = remedy


def _failed(what: str, command: str, commands: ShownCommands) -> StepFailedError:
    """With what the command ended, by its exit status."""
    inner = _ended(command, commands)
    return StepFailedError(what, commands.said, commands.remedy, inner)


def _ended(command: str, commands: ShownCommands) -> str:
    """The name of the class that the last command ended with; empty: none that is known."""
    names = {error.status: error.__name__ for error in exits_of(command)}
    return names.get(commands.status, "")


def first_backup(places: Places, commands: ShownCommands) -> Step:
    """Made and judged once, as the agent does it, and told to the server.

    Harm that it shows is for a person to look at: it stands at the vault all the same.

    Raises: StepFailedError.
    """
    state = places.state()
    _after(state.alone, BackupRunningError, commands)
    if (good := state.load().good_at) is not None:
        return Step(name=FIRST, state=End.KEPT, said=f"{good.astimezone():%d/%m/%Y %H:%M}")
    config = places.agent().config()
    spool = wiring.open_spool(places.agent(), config)
    try:
        ran = anyio.run(back_up_once, commands, spool, SystemClock(), wiring.backup_command(config))
    finally:
        spool.close()
    is_harmed = _ended("backup run", commands) == "SnapshotHarmedError"
    if not ran.ok and not is_harmed:
        raise _failed("La sauvegarde n'a pas réussi", "backup run", commands)
    voice = Voice("fr")
    said = (
        f"{voice.number(ran.files)} fichiers, {voice.size(ran.bytes)} en {voice.duration(ran.ms)},"
        f" {_JUDGED.get(ran.verdict, _JUDGED['unjudged'])}"
    )
    if ran.verdict not in {"bad", "suspect"}:
        return Step(name=FIRST, state=End.DONE, said=said)
    hand = (
        f"regarder ce qui y est abîmé, {typed('recover scan --list', state)} ; si une personne le"
        f" sait bon, {typed('recover accept', state)}. Sinon une reprise n'en partira pas"
    )
    return Step(name=FIRST, state=End.DONE, said=said, hand=hand)


def first_drill(places: Places, commands: ShownCommands) -> Step:
    """One that passed, certified here and told to the server. Raises: StepFailedError."""
    if is_made(str(places.drills)):
        _after(DrillHome(str(places.drills)).journal().alone, DrillRunningError, commands)
    if passed := _passed(places):
        return Step(name=DRILL, state=End.KEPT, said=passed)
    if hand := _too_large(places):
        return Step(name=DRILL, state=End.HAND, hand=hand)
    config = places.agent().config()
    words = [word for word in wiring.drill_command(config) if word != "--if-due"]
    if not _is_open(places):
        words.remove("--resume")
    spool = wiring.open_spool(places.agent(), config)
    try:
        anyio.run(drill_once, commands, spool, SystemClock(), words, set[str]())
    finally:
        spool.close()
    if not (passed := _passed(places)):
        raise _failed("L'essai n'a pas réussi", "drill run", commands)
    return Step(name=DRILL, state=End.DONE, said=passed)


def _too_large(places: Places) -> str:
    """Why the vault would not give the whole backup back today; empty: it does."""
    made = places.state().load().backup
    try:
        most = int((places.backup / READS).read_text())
    except (OSError, ValueError):
        return ""
    if not most or made is None or made.bytes_added <= most:
        return ""
    voice = Voice("fr")
    return (
        f"la sauvegarde ({voice.size(made.bytes_added)} au coffre) dépasse ce qu'il rend à cette"
        f" machine par jour ({voice.size(most)}) : un essai relit tout. Dans une salle propre,"
        " `releve drill run --envelope … --private-key … --right …`, par un droit que deux personnes"
        " ouvrent (`releve vault credential open`), ou chaque semaine par un chemin convenu"
        " (docs/drills.md)"
    )


def _after(
    alone: Callable[[], AbstractContextManager[None]],
    running: type[ReleveError],
    commands: ShownCommands,
) -> None:
    """Wait for one that runs already: the agent's, or what an interrupted installer left at work."""
    is_told = False
    while True:
        try:
            with alone():
                return
        except running:
            if not is_told:
                commands.tell("Il y en a un en cours ; on attend sa fin.")
            is_told = True
            time.sleep(1)


def _passed(places: Places) -> str:
    """The newest drill that passed, and its certificate; empty: none."""
    if not is_made(str(places.drills)):
        return ""
    home = DrillHome(str(places.drills))
    for one in reversed(home.journal().drills()):
        if one.kind == "drill" and one.verdict == "passed":
            return f"essai {one.id}, certificat {home.folder / 'certificates' / one.id}.fr.html"
    return ""


def _is_open(places: Places) -> bool:
    if not is_made(str(places.drills)):
        return False
    drills = DrillHome(str(places.drills)).journal().drills()
    return any(one.kind == "drill" and one.ended_at is None for one in drills)


def key_sheet(plan: HostPlan, places: Places, commands: ShownCommands) -> Step:
    """The recovery key's sheet, made once; a person prints it. Raises: StepFailedError."""
    state = places.state()
    book, generation = books_of(state).load(), place_of(state.config()).generation
    papers = [
        key for key in book.keys if key.kind is KeyKind.PAPER and key.generation == generation
    ]
    for paper in papers:
        if proof := next((one for one in book.proofs if one.key == paper.id), None):
            said = f"repère {paper.mark}, prouvée le {proof.at.astimezone():%d/%m/%Y}"
            return Step(name=SHEET, state=End.KEPT, said=said)
    if papers:
        mark = papers[-1].mark
        return Step(name=SHEET, state=End.KEPT, said=f"repère {mark}", hand=_hand(places, mark))
    words = ["key", "sheet", "--out", str(places.sheets), "--state", str(places.backup), "--json"]
    words += ["--call", plan.call] if plan.call else []
    outcome = commands.run_now((*wiring.RELEVE, *words), LONGEST_SECONDS)
    if outcome.status != 0:
        raise _failed("La feuille n'est pas faite", "key sheet", commands)
    mark = str(msgspec.json.decode(outcome.stdout.splitlines()[-1])["mark"])
    return Step(name=SHEET, state=End.DONE, said=f"repère {mark}", hand=_hand(places, mark))


def _hand(places: Places, mark: str) -> str:
    there = sorted(places.sheets.glob("cle-*")) if places.sheets.is_dir() else []
    if not there:
        return (
            f"la feuille de repère {mark} n'est plus dans {places.sheets} et n'a jamais été essayée :"
            f" si le papier est là, {typed('key try', places.state())} ; sinon"
            f" {typed('key sheet', places.state())} en fait une autre"
        )
    tried = typed("key try", places.state())
    return f"imprimer {there[0].parent}, effacer ce dossier, puis {tried} ({_WHY_BY_HAND})"


def tell_server(places: Places) -> int:
    """Send what waits, when no agent does; how many events. Raises: TemporaryError."""
    home = places.agent()
    config = home.config()
    spool: SqliteSpool = wiring.open_spool(home, config)
    try:
        return anyio.run(wiring.flush, home, config, spool)
    finally:
        spool.close()
