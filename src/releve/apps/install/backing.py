"""The host's backup: set up with the vault's secret, made once, proved once. Its keys stay here."""

import datetime as dt
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import anyio
import msgspec

from releve.adapters.durable import write
from releve.adapters.spool.sqlite import SqliteSpool
from releve.adapters.system import SystemClock
from releve.apps.agent import wiring
from releve.apps.backup.state import EXCLUDE, Config, State
from releve.apps.drill.state import DrillHome, is_made
from releve.apps.install.places import Places
from releve.apps.install.telling import ShownCommands, Step
from releve.apps.install.telling import State as End
from releve.apps.key.wiring import books_of, place_of
from releve.flow.agent.backup import LONGEST_SECONDS, back_up_once
from releve.flow.agent.drill import drill_once
from releve.flow.backup import BackupRunningError
from releve.flow.drill.ports import DrillRunningError
from releve.model.errors import ReleveError
from releve.model.installer import Deposit, HostPlan
from releve.model.keys import KeyKind
from releve.report.text import Voice

SETUP, FIRST, DRILL, SHEET = "backup_setup", "first_backup", "first_drill", "key_sheet"
_READS = "reads-per-day"  # in the backup's folder
_deposit = msgspec.json.Decoder(Deposit).decode
_WHY_BY_HAND = "la clé n'est écrite nulle part ailleurs, et une imprimante partagée la garderait"


class DepositMissingError(ReleveError):
    """The vault's secret for this host is not beside the installer, or is not this host's."""

    status = 63
    remedy = (
        "Run the script coffre-….sh at the vault, put the file that it made for this machine beside"
        " the installer, and run the installer again."
    )

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file}: {why}.")


class NoVaultError(ReleveError):
    """The onboarding file names no vault, and this host has folders to back up."""

    status = 64
    remedy = (
        "Put vault_name, vault_url and vault_home or vault_key into the file, run `releve onboard`"
        " again, bring the new installer here and run it."
    )

    def __init__(self, plan: HostPlan) -> None:
        super().__init__(f"No vault is known for {plan.host}: nothing is backed up.")


class OtherBackupError(ReleveError):
    """This host backs up to another place already, which is left as it is."""

    status = 65
    remedy = (
        "If the vault moved: `releve backup setup` with the new address. Else take this host's"
        " folders out of the onboarding file."
    )

    def __init__(self, url: str, wanted: str) -> None:
        super().__init__(f"This host backs up to {url} already, not below {wanted}.")


class FolderAbsentError(ReleveError):
    """A folder of the onboarding file is not on this host."""

    status = 66
    remedy = "Mount or make it, or correct the onboarding file, then run the installer again."

    def __init__(self, folders: list[str]) -> None:
        super().__init__(f"Not on this machine: {', '.join(folders)}.")


class StepFailedError(ReleveError):
    """A command of the installation failed; its own words are above."""

    status = 67
    remedy = "Mend what it says, then run the installer again: it goes on from there."

    def __init__(self, what: str, said: str, remedy: str) -> None:
        super().__init__(f"{what} : {said}" if said else what)
        if remedy:
            self.remedy = remedy


def set_up(plan: HostPlan, places: Places) -> Step:
    """The repository, made once; a folder that a person added stays.

    Raises: NoVaultError, FolderAbsentError, DepositMissingError, OtherBackupError, those of the vault.
    """
    if not plan.vault_url:
        raise NoVaultError(plan)
    if absent := [folder for folder in plan.folders if not Path(folder).is_dir()]:
        raise FolderAbsentError(absent)
    state = places.state()
    before = state.config() if state.is_configured() else None
    wanted = f"{plan.vault_url.rstrip('/')}/{plan.vault_place}/"
    if before is not None and not before.url.startswith(wanted):
        raise OtherBackupError(before.url, wanted)
    deposit = _read(places.deposit(plan), plan)
    secret = deposit.secret if deposit else _kept_secret(state)
    if not secret or (before is None and deposit is None):
        raise DepositMissingError(places.deposit(plan), "there is no such file")
    places.backup.mkdir(mode=0o700, parents=True, exist_ok=True)
    after = _config(plan, places, before, deposit, wanted)
    if deposit is not None:
        write(places.backup / _READS, str(deposit.reads_per_day).encode())
    is_same = after == before and secret == _kept_secret(state)
    if not is_same:
        state.configure(after, secret)
    if is_same and state.load().good_at is not None:
        return Step(name=SETUP, state=End.KEPT, said=after.url)
    made = state.engine().init()
    said = f"{after.url} ({', '.join(after.folders)})"
    return Step(name=SETUP, state=End.DONE if made or not is_same else End.KEPT, said=said)


def _config(
    plan: HostPlan, places: Places, before: Config | None, deposit: Deposit | None, wanted: str
) -> Config:
    authority = str(places.backup / "authority.pem")
    if deposit is not None and deposit.authority:
        if not Path(authority).exists() or Path(authority).read_text() != deposit.authority:
            write(Path(authority), deposit.authority.encode())
    ca_file = authority if deposit is not None and deposit.authority else ""
    if before is not None:
        more = tuple(folder for folder in plan.folders if folder not in before.folders)
        return msgspec.structs.replace(
            before,
            user=deposit.user if deposit else before.user,
            folders=(*before.folders, *more),
            ca_file=ca_file or before.ca_file,
        )
    if deposit is None:  # said before: a first setup has one
        raise DepositMissingError(places.deposit(plan), "there is no such file")
    month = dt.datetime.now(dt.UTC)  # the vault's clock says which; it grants a day of grace
    return Config(
        url=f"{wanted}{month:%Y-%m}/",
        user=deposit.user,
        folders=plan.folders,
        exclude=EXCLUDE,
        ca_file=ca_file,
        structure=plan.structure,
    )


def _read(file: Path, plan: HostPlan) -> Deposit | None:
    """None: it is not there. Raises: DepositMissingError: it is another host's, or broken."""
    try:
        found = _deposit(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise DepositMissingError(file, f"it cannot be read ({error})") from error
    if f"{found.structure}/{found.host}" != plan.vault_place:
        raise DepositMissingError(file, f"it is for {found.structure}/{found.host}")
    return found


def _kept_secret(state: State) -> str:
    try:
        return (state.folder / "http-password").read_text()
    except OSError:
        return ""


def first_backup(places: Places, commands: ShownCommands) -> Step:
    """Made once, as the agent makes it, and told to the server. Raises: StepFailedError."""
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
    if not ran.ok:
        raise StepFailedError("La sauvegarde n'a pas réussi", commands.said, commands.remedy)
    voice = Voice("fr")
    said = (
        f"{voice.number(ran.files)} fichiers, {voice.size(ran.bytes)} en {voice.duration(ran.ms)}"
    )
    return Step(name=FIRST, state=End.DONE, said=said)


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
        raise StepFailedError("L'essai n'a pas réussi", commands.said, commands.remedy)
    return Step(name=DRILL, state=End.DONE, said=passed)


def _too_large(places: Places) -> str:
    """Why the vault would not give the whole backup back today; empty: it does."""
    made = places.state().load().backup
    try:
        most = int((places.backup / _READS).read_text())
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
        raise StepFailedError("La feuille n'est pas faite", commands.said, commands.remedy)
    mark = str(msgspec.json.decode(outcome.stdout.splitlines()[-1])["mark"])
    return Step(name=SHEET, state=End.DONE, said=f"repère {mark}", hand=_hand(places, mark))


def _hand(places: Places, mark: str) -> str:
    there = sorted(places.sheets.glob("cle-*")) if places.sheets.is_dir() else []
    if not there:
        return (
            f"la feuille de repère {mark} n'est plus dans {places.sheets} et n'a jamais été essayée :"
            " si le papier est là, `releve key try` ; sinon `releve key sheet` en fait une autre"
        )
    return f"imprimer {there[0].parent}, effacer ce dossier, puis `releve key try` ({_WHY_BY_HAND})"


def tell_server(places: Places) -> int:
    """Send what waits, when no agent does; how many events. Raises: TemporaryError."""
    home = places.agent()
    config = home.config()
    spool: SqliteSpool = wiring.open_spool(home, config)
    try:
        return anyio.run(wiring.flush, home, config, spool)
    finally:
        spool.close()
