"""`releve install`: one host set up as `releve onboard` wrote it; again, it goes on where it was."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

import click
import msgspec

from releve.adapters.system import log_to_stderr
from releve.apps.agent.config import DEFAULT_HOME
from releve.apps.backup import state as backup_state
from releve.apps.drill import state as drill_state
from releve.apps.install import backing, joining, proving, service
from releve.apps.install.failing import failed
from releve.apps.install.places import Places
from releve.apps.install.telling import ShownCommands, State, Step, Teller
from releve.flow.agent.ports import TemporaryError
from releve.model.errors import ReleveError
from releve.model.installer import HostPlan

F = TypeVar("F", bound=Callable[..., object])
_plan = msgspec.json.Decoder(HostPlan).decode
_TITLES = {
    joining.NAME: "Rattachement",
    backing.SETUP: "Sauvegarde réglée",
    proving.FIRST: "Première sauvegarde",
    proving.DRILL: "Premier essai de restauration",
    proving.SHEET: "Feuille de clé",
    service.NAME: "Service de l'agent",
}
_LACKING = (State.FAILED, State.WAITS)
_NO_SERVICE = "laissé de côté (--no-service)"
_NO_FOLDERS = "aucun dossier dans le fichier d'accueil : cette machine ne sauvegarde rien"


class PlanError(ReleveError):
    """The installer's file is not one that `releve onboard` wrote."""

    status = 68
    remedy = "Run `releve onboard FILE` on the server again, and bring its installer here."

    def __init__(self, why: str) -> None:
        super().__init__(f"The installer cannot be read: {why}.")


class InstallUnfinishedError(ReleveError):
    """Some steps of the installation are not done; what each lacks stands above."""

    status = 69
    remedy = (
        "Réparer ce qui est dit plus haut, puis relancer le même fichier : ce qui est fait le reste."
        " / Mend what is said above, then run the same file again: what is done stays done."
    )

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"Restent à faire / not done: {', '.join(names)}.")


def _folder(name: str, default: str | Path, envvar: str, help_: str) -> Callable[[F], F]:
    kind = click.Path(path_type=Path, file_okay=False)
    return click.option(
        name, type=kind, default=Path(default), show_default=True, envvar=envvar or None, help=help_
    )


@click.command()
@click.argument("source", metavar="FILE|-", type=click.File("rb"))
@_folder("--beside", ".", "", "Où est l'installateur, avec le secret du coffre (coffre-….json).")
@_folder("--home", DEFAULT_HOME, "RELEVE_AGENT_HOME", "Dossier de l'agent.")
@_folder("--state", backup_state.DEFAULT, backup_state.ENVIRONMENT, "Dossier de la sauvegarde.")
@_folder("--drills", drill_state.DEFAULT, drill_state.ENVIRONMENT, "Dossier des essais.")
@_folder("--sheets", "/run/releve-key-sheet", "", "Où écrire la feuille de clé à imprimer.")
@_folder("--units", service.UNITS, "", "Où systemd lit ses unités.")
@click.option("--service/--no-service", "with_service", default=True, help="Installer le service.")
@click.option("--json", "as_json", is_flag=True, help="Un objet JSON par étape.")
def install(
    source: IO[bytes],
    beside: Path,
    home: Path,
    state: Path,
    drills: Path,
    sheets: Path,
    units: Path,
    *,
    with_service: bool,
    as_json: bool,
) -> None:
    """Installer cette machine, de bout en bout / set this host up (root).

    Enrols, sets the backup up with the vault's secret that lies beside, backs up, drills, writes
    the key's sheet, starts the agent's service. The installer that `releve onboard` wrote calls
    it: sh installer-….sh. Run again it goes on where it was; what is done stays.
    """
    log_to_stderr()
    try:
        plan = _plan(source.read())
    except msgspec.DecodeError as error:
        raise PlanError(str(error)) from error
    places = Places(
        beside=beside.absolute(),
        home=home.absolute(),
        backup=state.absolute(),
        drills=drills.absolute(),
        sheets=sheets.absolute(),
        units=units.absolute(),
    )
    Installing(plan, places, Teller(as_json=as_json)).run(with_service=with_service)


class Installing:
    """The steps in their order; one that fails holds up only those that need it."""

    def __init__(self, plan: HostPlan, places: Places, teller: Teller) -> None:
        self._plan, self._places, self._teller = plan, places, teller
        self._commands = ShownCommands(teller.went_on)
        self._ended: dict[str, Step] = {}
        self._asked: list[str] = []  # the steps that this run does, in their order

    def run(self, *, with_service: bool) -> None:
        """Raises: InstallUnfinishedError."""
        plan, places, commands = self._plan, self._places, self._commands
        self._asked = _asked(plan, with_service=with_service)
        is_joined = self._do(joining.NAME, lambda: joining.enrolled(plan, places))
        is_changed = is_joined and joining.keep_words(plan, places)
        if plan.folders:
            self._do(backing.SETUP, lambda: backing.set_up(plan, places), joining.NAME)
            self._do(proving.FIRST, lambda: proving.first_backup(places, commands), backing.SETUP)
            self._do(proving.DRILL, lambda: proving.first_drill(places, commands), proving.FIRST)
            self._do(
                proving.SHEET, lambda: proving.key_sheet(plan, places, commands), backing.SETUP
            )
        else:
            self._end(Step(name=backing.SETUP, state=State.NONE, said=_NO_FOLDERS))
        if with_service:
            self._do(
                service.NAME,
                lambda: service.started(places, is_changed=is_changed),
                joining.NAME,
            )
        elif is_joined:
            self._end(service.by_hand(places, _NO_SERVICE, is_changed=is_changed))
        if is_joined:
            self._tell_server()
        self._name_what_lacks()

    def _do(self, name: str, work: Callable[[], Step], needs: str = "") -> bool:
        """Whether it stands after this, now or from before; one whose need failed waits, in its turn."""
        if needs and self._ended[needs].state in _LACKING:
            self._end(Step(name=name, state=State.WAITS, said=f"« {_TITLES[needs]} » d'abord"))
            return False
        self._teller.begins(self._asked.index(name) + 1, len(self._asked), _TITLES[name])
        try:
            step = work()
        except ReleveError as error:
            step = failed(name, error)
        self._end(step)
        return step.state is not State.FAILED

    def _end(self, step: Step) -> None:
        self._ended[step.name] = step
        self._teller.ended(step, _TITLES[step.name])

    def _tell_server(self) -> None:
        """What was made is in the agent's spool; a working agent sends it by itself."""
        if joining.is_working(self._places.agent()):
            return
        try:
            proving.tell_server(self._places)
        except TemporaryError as error:
            self._teller.went_on("Le serveur l'apprendra de l'agent plus tard.")
            self._teller.went_on(f"Détail technique : {error}")

    def _name_what_lacks(self) -> None:
        """Raises: InstallUnfinishedError."""
        lacking = [name for name in self._asked if self._ended[name].state in _LACKING]
        if lacking:
            raise InstallUnfinishedError([_TITLES[name] for name in lacking])


def _asked(plan: HostPlan, *, with_service: bool) -> list[str]:
    left_out = () if with_service else (service.NAME,)
    names = list(_TITLES) if plan.folders else [joining.NAME, service.NAME]
    return [name for name in names if name not in left_out]
