"""One run of the simulation: places, chapters, chain, report; the machine is left as it was found."""

import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from releve.apps.simulate import environment, ledger, places
from releve.apps.simulate.attack_run import Ground, run_attack, skipped
from releve.apps.simulate.attacks.network import SMB
from releve.apps.simulate.honest_run import run_honest
from releve.apps.simulate.ledger import Ledger
from releve.apps.simulate.places import Place, Unavailable
from releve.apps.simulate.plan import Chapter, Plan
from releve.apps.simulate.table import Table
from releve.model.lines import GuardLine
from releve.model.proof import AttackResult, CareResult, HonestResult, Simulation, WindowResult

FILES = 2_000
QUICK_SECONDS = 92.0  # for the chapters of --quick: chain and report end within two minutes
TIME_UP = "le temps de --quick était écoulé (machine chargée) ; voir --full"
_FEW = 1_000  # where inodes are few on purpose


class Outcome(msgspec.Struct, kw_only=True):
    """What a run has gathered so far."""

    attacks: list[AttackResult] = []
    honest: list[HonestResult] = []
    windows: list[WindowResult] = []
    care: list[CareResult] = []
    not_shown: list[str] = []
    file_systems: list[str] = []
    files: int = 0
    bytes: int = 0


class Runner:
    """Runs a plan; `listen` hears every line of every guard (the chain feeds them to the agent)."""

    def __init__(
        self, plan: Plan, table: Table, book: Ledger, *, portable: bool, files: int = FILES,
        full: bool = False, listen: Callable[[GuardLine], None] | None = None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.table = table
        self.ledger = book
        self.portable = portable
        self.files = files
        self.full = full
        self.listen = listen
        self.budget = 0.0  # seconds; 0: no limit
        self._begun = time.monotonic()
        self.outcome = Outcome()
        self._grounds: dict[str, Ground | Unavailable] = {}
        self.work = ledger.room() / f"{book.run}-travail"
        book.note("folder", str(self.work))
        self.work.mkdir(mode=0o755, parents=True)

    def prepare(self) -> None:
        """Mount and fill every place, before anything is measured."""
        for chapter in self.plan.chapters:
            self.table.now(chapter.fs)
            place = self._place(chapter)
            self._grounds[chapter.fs] = (
                place if isinstance(place, Unavailable) else self.ground(place)
            )

    def run(self) -> None:
        """All chapters in order."""
        for chapter in self.plan.chapters:
            ground = self._grounds[chapter.fs]
            if isinstance(ground, Unavailable):
                self._unavailable(chapter, ground)
                continue
            self.outcome.file_systems.append(ground.place.fs)
            self._chapter(chapter, ground)
            if self.plan.smb and chapter.fs == self.plan.smb:
                self._smb(ground)

    def _smb(self, ground: Ground) -> None:
        """The client that encrypts over the network, on the last place."""
        from releve.apps.simulate.smb_run import run_smb  # needs Samba's parts: only here

        self.table.now_profile(SMB.name, ground.place.fs)
        late = self._is_late()
        result = skipped(SMB, ground.place.fs, TIME_UP) if late else run_smb(ground)
        self._keep(result)

    def _is_late(self) -> bool:
        return self.budget > 0 and time.monotonic() - self._begun > self.budget

    def _keep(self, result: AttackResult) -> None:
        self.outcome.attacks.append(result)
        self.table.attack(result)

    def ground(self, place: Place) -> Ground:
        """The ground of one place, its share built."""
        made = Ground(
            ledger=self.ledger, place=place, work=self.work, portable=self.portable, full=self.full,
            as_users=os.geteuid() == 0 and not self.portable, listener=self.listen, masters={}, failures=[],
            files=min(self.files, _FEW) if place.fs == "ext4-inodes" else self.files,
        )  # fmt: skip
        master = made.master(made.files)
        if not self.outcome.files:
            sizes = [path.stat().st_size for path in master.rglob("*") if path.is_file()]
            self.outcome.files, self.outcome.bytes = len(sizes), sum(sizes)
        return made

    def failures(self) -> list[str]:
        """How often the guard did not start, with its last words."""
        grounds = (ground for ground in self._grounds.values() if isinstance(ground, Ground))
        return [said for ground in grounds for said in ground.failures]

    def result(self, command: str, seconds: float) -> Simulation:
        """Everything as one object."""
        gathered = self.outcome
        return Simulation(
            attacks=tuple(gathered.attacks),
            honest=tuple(gathered.honest),
            windows=tuple(gathered.windows),
            care=tuple(gathered.care),
            environment=environment.look(
                file_systems=self._measured_on(), portable=self.portable,
                files=gathered.files, size=gathered.bytes, not_shown=tuple(dict.fromkeys(gathered.not_shown)),
            ),
            command=command,
            seconds=seconds,
        )  # fmt: skip

    def _measured_on(self) -> tuple[str, ...]:
        """Where at least one case was measured, in order: a place that was only made shows nothing."""
        ran = {attack.fs for attack in self.outcome.attacks if not attack.skipped}
        ran |= {work.fs for work in self.outcome.honest if not work.skipped}
        return tuple(fs for fs in dict.fromkeys(self.outcome.file_systems) if fs in ran)

    def _place(self, chapter: Chapter) -> Place | Unavailable:
        if self.portable:
            return places.plain_folder(self.ledger)
        return places.mount_image(self.ledger, chapter.fs)

    def _unavailable(self, chapter: Chapter, place: Unavailable) -> None:
        self.outcome.not_shown.append(f"{place.fs} : {place.why}")
        for profile in chapter.attacks:
            result = skipped(profile, chapter.fs, place.why)
            self.outcome.attacks.append(result)
            self.table.attack(result)

    def _chapter(self, chapter: Chapter, ground: Ground) -> None:
        place = ground.place
        for profile in chapter.attacks:
            self.table.now_profile(profile.name, place.fs)
            result = (
                skipped(profile, place.fs, TIME_UP)
                if self._is_late()
                else run_attack(ground, profile)
            )
            self._keep(result)
        if chapter.honest and self._is_late():
            names = ", ".join(workload.title for workload in chapter.honest)
            self.outcome.not_shown.append(f"{names} ({place.fs}) : {TIME_UP}")
        elif chapter.honest:
            self.table.now_profile(chapter.honest[0].name, place.fs)
            day = run_honest(ground, chapter.honest, self.table.honest)
            self.outcome.honest += day.results
            self.outcome.windows += day.windows


def new_run() -> str:
    """A run's id: when and a little chance."""
    return f"sim-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def say_conditions(outcome: Outcome, *, portable: bool) -> None:
    """What a run without the rights leaves out, in words for people."""
    if portable:
        outcome.not_shown += [
            "l'attribution exacte par le noyau (il faut root) : ici, l'auteur est nommé sur indices",
            "ext4, xfs et btrfs sur images (il faut root et des périphériques loop)",
            "l'attaque par un poste SMB (il faut root et des espaces réseau)",
        ]
    if not places.namespace_words():
        outcome.not_shown.append(
            "l'enfermement des attaques dans leur espace de processus : refusé par ce système"
        )


def since(begun: float) -> float:
    """Seconds since a monotonic moment."""
    return time.monotonic() - begun


def default_report(run: str) -> Path:
    """Where reports go unless told otherwise."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "releve" / "simulation" / run
