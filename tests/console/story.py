"""A practice for the whole story: real guard, real agent, real backups, a real recovery, real calls.

Nothing here stands in for anything: programs run as their users run them, on loopback.
"""

import datetime as dt
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from releve.adapters.linux import mounts
from releve.adapters.process.guards import ProcessGuards
from releve.adapters.restic.rest_server import RestServer
from releve.apps.backup.state import Config, State
from releve.apps.simulate.corpus.documents import docx
from releve.flow.server import profiles
from releve.flow.server.assist import rotas
from releve.flow.server.ingest import take
from releve.flow.wire import decode_event
from releve.model.event import FamilyRolledBack, FamilyStopped
from releve.model.help import Rota
from releve.model.structure import CareService, Contact, DataSetEntry, Profile, StructureKind
from tests.guard.test_portable import _USER, Arena
from tests.server.world import Running, add_host, batch

RELEVE = (sys.executable, "-m", "releve.apps.cli.main")
STRUCTURE, HOST, OTHER = "Cabinet A", "serveur-fichiers", "poste-accueil"
PASSWORD = "une phrase assez longue"
LETTERS, SCAN_BYTES = 60, 40_000  # each is written to for a while: the guard finds who does


def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.1)


class Practice:
    """Two hosts of the structure that is set up in the console, and the vault of the first."""

    def __init__(self, served: Running) -> None:
        self.served = served
        self.root = Path(f"/tmp/releve-story-{secrets.token_hex(4)}")
        self.share = self.root / "cabinet"
        self.target = self.root / "repris" / "cabinet"
        self.state = State(str(self.root / "state"))
        self._environment = os.environ | {"RELEVE_RECOVERIES": str(self.root / "notes")}
        self._vault = RestServer(str(self.root / "vault"))
        self._agent: subprocess.Popen[bytes] | None = None
        self._driver: subprocess.Popen[bytes] | None = None
        self._arena: Arena | None = None
        self._fill()

    def _fill(self) -> None:
        for number in range(LETTERS):
            letter = self.share / f"d{number // 12:02}" / f"CR {number:03}.docx"
            letter.parent.mkdir(parents=True, exist_ok=True)
            scan = os.urandom(SCAN_BYTES)
            letter.write_bytes(
                docx([f"Compte rendu {number}, paragraphe {n}" for n in range(60)], scan)
            )
        for path in [self.root, *self.share.rglob("*"), self.share]:
            os.chown(path, _USER, _USER)
        self.target.parent.mkdir()

    def releve(self, *words: object, stdin: str = "") -> dict[str, object]:
        """A command to its end; the last line that it printed."""
        done = subprocess.run(
            [*RELEVE, *map(str, words), "--json"],
            input=stdin,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (words, done.stderr[-2000:])
        return json.loads(done.stdout.splitlines()[-1])

    def tell_profile(self, served_hosts: tuple[str, ...] = (HOST,)) -> str:
        """What the practice says of itself; the structure's id."""
        consultations = CareService(
            id="consultations", name="Consultations", rank=1, hosts=served_hosts,
            consultations_per_hour=6,
        )  # fmt: skip
        records = DataSetEntry(
            name="Dossiers médicaux", hosts=(HOST,), persons={"patients": 1800},
            categories=("identity", "health"), records=1800,
        )  # fmt: skip
        lead = Contact(name="Dr Claire Morel", role="lead", phone="02 99 00 00 01")
        told = Profile(
            kind=StructureKind.PRACTICE, legal_name="Cabinet médical des Tilleuls",
            services=(consultations,), data_map=(records,), contacts=(lead,),
        )  # fmt: skip
        structure = self.served.store.structures()[0].id
        now = self.served.context.clock.now()
        profiles.put(self.served.store, structure, told, actor="claire", now=now)
        return structure

    def put_on_call(self, rota: Rota) -> None:
        structure = self.served.store.structures()[0].id
        now = self.served.context.clock.now()
        rotas.keep(self.served.store, structure, rota, actor="claire", now=now)

    def person(self, login: str) -> str:
        """A second account; its second factor's secret."""
        words = ("--home", self.served.home.path, "--structure", STRUCTURE, "--login", login)
        made = self.releve("server", "user", "create", *words, "--show-totp", stdin=PASSWORD + "\n")
        return str(made["totp_secret"])

    def enrol(self, name: str, *words: str) -> Path:
        owner = ("--home", self.served.home.path, "--structure", STRUCTURE)
        token = self.releve("server", "token", "create", *owner, "--url", self.served.url)["token"]
        home = self.root / f"agent-{name}"
        label = ("--label", f"{self.share}=Dossiers du cabinet")
        self.releve(
            "agent", "enrol", "--home", home, "--token", token, "--name", name, *label, *words
        )
        return home

    def back_up(self) -> None:
        """Real restic to a real rest-server, append-only; then judged."""
        self._vault.start()
        config = Config(url=self._vault.url("host"), user="host", folders=(str(self.share),))
        self.state.configure(config, self._vault.add_user("host"))
        assert self.state.engine().init()
        self.state.run().run(config.folders, config.exclude, lambda _: None)
        self.releve("recover", "scan", "--state", self.state.folder)

    def watch(self) -> None:
        """The agent runs the guard, which runs until the practice closes."""
        self._arena = Arena(self.share)
        home = self.enrol(HOST, "--care-role", "dossiers médicaux")
        scope = ("--scope", str(self._arena.scope))
        guard = " ".join(("--portable", "--enforce", "--protect", str(self.share), *scope))
        self._agent = subprocess.Popen(
            [*RELEVE, "agent", "run", "--home", str(home), "--heartbeat", "1", "--guard", guard],
            stdout=subprocess.DEVNULL,
            stderr=(self.root / "agent.log").open("wb"),
            env=self._environment,
        )

    def contents(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.share)): p.read_bytes() for p in self.share.rglob("*.*")}

    def attack(self) -> None:
        assert self._arena is not None
        self._arena.attack("slow")

    def same_on_the_other(self) -> None:
        """The reception's machine tells what the guard said on the first: the same program, there."""
        store, now = self.served.store, self.served.context.clock.now()
        other = add_host(store, OTHER, STRUCTURE, care=False)
        with store.unit(other.structure, writes=False) as unit:
            told = [decode_event(body) for _, body in unit.told_after(now - dt.timedelta(hours=1))]
        kept = [e for e in told if isinstance(e, (FamilyStopped, FamilyRolledBack))]
        assert kept
        take(store, other.structure, other.id, batch(*kept), now)
        self.served.context.live.touch(other.structure)

    def begin_recovery(self, words: str) -> None:
        """By the very words that the incident's page shows, with this machine's own places."""
        given = words.split()
        assert given[:3] == ["releve", "recover", "start"]
        rest = given[4:]
        self._driver = subprocess.Popen(
            [*RELEVE, "recover", "start", str(self.target), *rest,
             "--state", str(self.state.folder), "--reserve-mb", "1", "--json"],
            stdout=subprocess.DEVNULL,
            stderr=(self.root / "driver.log").open("wb"),
            env=self._environment,
        )  # fmt: skip

    def finish_recovery(self) -> dict[str, object]:
        return self.releve("recover", "finish", self.target)

    def close(self) -> None:
        for process in (self._agent, self._driver):
            if process is not None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        ProcessGuards(self.root / f"agent-{HOST}" / "guard", ()).terminate()
        if self._arena is not None:
            self._arena.close()
        if (self.target.parent / ".cabinet.reprise").exists():
            subprocess.run(
                [*RELEVE, "recover", "stop", str(self.target)],
                capture_output=True,
                env=self._environment,
                check=False,
            )
        for entry in reversed(list(mounts.mounts())):
            if entry.point.startswith(f"{self.root}/"):
                mounts.unmount(entry.point, lazily=True)
        if self.target.is_dir():
            mounts.unseal(str(self.target))
        self._vault.stop()
        shutil.rmtree(self.root, ignore_errors=True)
