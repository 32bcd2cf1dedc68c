"""From an incident to the open folder: the plan, the right, the lent key, the gate's view, one command."""

import contextlib
import datetime as dt
import io
import json
import os
import random
import sqlite3
import time
from pathlib import Path

import pytest

from releve.adapters.linux import mounts
from releve.apps.backup.state import Config, State
from releve.apps.cli.main import run
from releve.apps.recover.state import RecoveryHome
from releve.apps.simulate.corpus.documents import docx
from releve.flow.keys import EnvelopeError
from releve.flow.recovery.errors import NoRecoveryError
from tests.recover.practice import Recovery
from tests.vault.conftest import STRUCTURE, Gate, address, releve

pytestmark = pytest.mark.need("root", "restic", "overlay")
WHY = ("--structure", STRUCTURE, "--host", "srv1", "--incident", "i7", "--reason", "t", "--by", "A")
MACRO = b"@echo off\r\npowershell -enc AAAA\r\n"


def said(*words: object) -> dict:
    """A command in this process; the last line that it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([*map(str, words), "--json"])
    assert status == 0, (words, err.getvalue())
    return json.loads(out.getvalue().splitlines()[-1])


class Attacked:
    """A practice behind a gate: clean, then attacked; what happened after the first write is known."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.gate = Gate(root / "vault")
        self.gate.start()
        self.share = root / "cabinet"
        self.state = State(str(root / "state"))
        self.name, self.secret = self.gate.credential("srv1")
        self.url = f"{self.gate.url.rstrip('/')}{address('srv1')}"
        self.state.configure(
            Config(url=self.url, user=self.name, folders=(str(self.share),)), self.secret
        )
        assert self.state.engine().init()
        self.lent = self._envelope()
        self.snapshots: list[str] = []
        self._live()
        self.late = self._sealed("late.json")  # its key is in no view of before
        said("recover", "scan", "--state", self.state.folder)
        self.plan = self.root / "plan.json"
        self.plan.write_text(json.dumps(said("recover", "plan", *self.by_time)))
        self._approvers()
        thief = self.gate.client(
            (self.name, self.secret)
        )  # from here on no restic reads it any more
        assert thief.put("index", os.urandom(400), repository=address("srv1")) == 200

    def _back_up(self) -> None:
        config = self.state.config()
        made = self.state.run().run(config.folders, config.exclude, lambda _: None)
        self.snapshots.append(made.snapshot)

    def letter(self, name: str, text: str) -> None:
        (self.share / name).write_bytes(docx([f"{text} {n}" for n in range(30)]))

    def _live(self) -> None:
        (self.share / "lettres").mkdir(parents=True)
        for number in range(30):
            self.letter(f"lettres/CR {number}.docx", f"Compte rendu {number}")
        with sqlite3.connect(self.share / "patients.db") as database:
            database.execute("CREATE TABLE visite (id INTEGER PRIMARY KEY, note TEXT)")
            database.executemany("INSERT INTO visite (note) VALUES (?)", [("suivi",)] * 200)
        database.close()
        self._back_up()
        said("recover", "scan", "--state", self.state.folder)
        self._back_up()  # takes the catalogue along, which knows the one before
        time.sleep(0.05)
        self.cut = dt.datetime.now(dt.UTC)
        time.sleep(0.05)
        for number in range(5, 15):
            (self.share / f"lettres/CR {number}.docx").write_bytes(os.urandom(9000))
        self.letter("lettres/CR 2.docx", "écrit pendant l'attaque, sain")
        (self.share / "nouveau").mkdir()
        self.letter("nouveau/CR 99.docx", "nouveau et sain")
        (self.share / "lettres/facture.bat").write_bytes(MACRO)
        self._back_up()

    @property
    def by_time(self) -> tuple[str, ...]:
        return ("--first-write", self.cut.isoformat(), "--state", str(self.state.folder))

    def vault(self, *words: object) -> dict:
        return said("vault", *words, "--data", self.gate.data)

    def _approvers(self) -> None:
        for name in ("martin", "durand"):
            said("vault", "approver", "make-key", str(self.root / name))
            self.vault("approver", "add", name, "--public-key", f"{self.root / name}.pub")

    def right(self) -> str:
        """The file of a right that is opened on the agreed path."""
        room, file = self.root / "clean-room", self.root / f"droit-{time.monotonic_ns()}.json"
        if not room.exists():
            said("vault", "approver", "make-key", room)
            later = (dt.datetime.now(dt.UTC) + dt.timedelta(days=9)).isoformat()
            host = ("--structure", STRUCTURE, "--host", "srv1", "--room-key", f"{room}.pub")
            self.vault("agreement", "add", "nuit", *host, "--hours", "4", "--until", later)
            for name in ("martin", "durand"):
                key = ("--approver", name, "--key", self.root / name)
                self.vault("agreement", "sign", "nuit", *key)
        path = ("--agreed", "nuit", "--key", room)
        told = self.vault("credential", "open", *WHY, *path, "--out", file)
        assert not told["secret"]
        return str(file)

    def _envelope(self) -> tuple[str, ...]:
        room = self.root / "room.key"
        self.room_public = said("key", "escrow", "pair", "--out", str(room))["public"]
        return self._sealed("envelope.json")

    def _sealed(self, name: str) -> tuple[str, ...]:
        sealed = str(self.root / name)
        words = ("key", "escrow", "add", "--to", self.room_public, "--out", sealed)
        said(*words, "--state", str(self.state.folder))
        own = ("--state", str(self.root / "room"))  # the clean room's: nothing of the lost machine
        return ("--envelope", sealed, "--private-key", str(self.root / "room.key"), *own)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    made = Attacked(tmp_path_factory.mktemp("attacked"))
    yield made
    made.gate.stop()


@pytest.fixture
def recovery(attacked, tmp_path):
    begun = Recovery(tmp_path, attacked.share, tmp_path / "repris")
    yield begun
    begun.close()


def came_back(attacked: Attacked, target: Path) -> None:
    """Clean files as of before, newer clean ones as they are, nothing that may act."""
    expected = {
        f"lettres/CR {n}.docx": docx([f"Compte rendu {n} {k}" for k in range(30)])
        for n in range(30)
    }
    late = "écrit pendant l'attaque, sain"
    expected["lettres/CR 2.docx"] = docx([f"{late} {k}" for k in range(30)])
    expected["nouveau/CR 99.docx"] = docx([f"nouveau et sain {k}" for k in range(30)])
    found = {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*.docx")}
    assert found == expected
    assert not (target / "lettres/facture.bat").exists()
    with sqlite3.connect(f"file:{target}/patients.db?mode=ro&immutable=1", uri=True) as database:
        assert database.execute("SELECT count(*) FROM visite").fetchone() == (200,)
    database.close()


def test_one_command_on_the_agreed_path_opens_the_incidents_plan(attacked, recovery):
    right = attacked.right()
    # The machine is lost: only the plan, the right and the room's key are left.
    words = [
        "start",
        str(recovery.target),
        "--plan",
        str(attacked.plan),
        "--right",
        right,
        *attacked.lent,
    ]
    words += ["--state", str(attacked.root / "room"), "--reserve-mb", "1", "--until-local"]
    told = json.loads(recovery.run(*words, "--json").splitlines()[0])
    assert told["event"] == "course"
    assert (told["snapshot"], told["newer"]) == (attacked.snapshots[1], 2)
    assert told["right"]["path"] == "agreed:nuit"
    assert told["right"]["to_open_s"] >= 0
    came_back(attacked, recovery.target)
    view = next(
        v
        for v in attacked.gate.vault().views.all()
        if v.by == json.loads(Path(right).read_text())["opening"]
    )
    assert view.left_out, "what was received after the newest snapshot that is read is not in it"
    report = recovery.finish()
    assert (report["laid"], report["doubtful"], report["changed"]) == (2, [], [])
    assert report["right"]["opening"] == json.loads(Path(right).read_text())["opening"]
    assert report["new"] == report["deleted"] == []
    came_back(attacked, recovery.target)
    assert not (recovery.home.path / "password").exists()


def test_two_people_lead_to_the_same_door_and_their_seconds_are_kept(attacked, recovery):
    right = str(recovery.root / "droit.json")
    asked = attacked.vault("credential", "open", *WHY, "--out", right)
    lent = attacked.lent[:4]
    words = ["start", str(recovery.target), *attacked.by_time, "--right", right, *lent]
    words += ["--reserve-mb", "1", "--json"]
    recovery.run(*words, fails=True)  # nobody has signed yet
    assert not (recovery.home.path / "asked.json").exists()
    for name in ("martin", "durand"):
        key = str(attacked.root / name)
        attacked.vault("credential", "approve", asked["opening"], "--approver", name, "--key", key)
    recovery.run(*words, "--until-local")
    came_back(attacked, recovery.target)
    kept = recovery.home.asked().right
    assert kept.path == "two_people"
    assert 0 <= kept.to_first_signature_s <= kept.to_open_s <= kept.since_asked_s


def test_an_envelope_made_after_the_clean_point_says_what_to_give_instead(attacked, recovery):
    out = io.StringIO()
    words = ("--plan", attacked.plan, "--right", attacked.right(), *attacked.late, "--json")
    with contextlib.redirect_stderr(out), contextlib.redirect_stdout(io.StringIO()):
        status = run(["recover", "start", *map(str, (recovery.target, *words))])
    told = json.loads(out.getvalue().splitlines()[-1])
    assert status == EnvelopeError.status
    assert "its key was added later" in told["message"]
    assert "--password-file" in told["remedy"]
    with pytest.raises(NoRecoveryError):
        RecoveryHome(recovery.target).asked()


def test_killed_between_laying_and_opening_it_goes_on_and_nothing_is_half(attacked, recovery):
    chance = random.Random(3)
    words = ["start", str(recovery.target), "--plan", str(attacked.plan), "--reserve-mb", "1"]
    words += ["--right", attacked.right(), *attacked.lent]
    for _ in range(2):
        driver = recovery.begin_by(*words)
        home = RecoveryHome(recovery.target)
        while not (home.path / "upper").exists():
            assert driver.poll() is None
            time.sleep(0.002)  # it begins to lay now
        time.sleep(chance.random() * 0.15)
        driver.kill()
        driver.wait(10)
        if (home.path / "prepared").exists():
            break
    recovery.run(*words, "--until-local")
    came_back(attacked, recovery.target)
    report = recovery.finish()
    assert (report["laid"], report["doubtful"]) == (2, [])
    assert mounts.mounted(str(recovery.target)) is None
    came_back(attacked, recovery.target)


def test_who_lost_the_machine_plans_from_the_catalogue_in_the_backup(attacked, recovery):
    words = ["start", str(recovery.target), "--lost", "--first-write", attacked.cut.isoformat()]
    words += ["--right", attacked.right(), *attacked.lent, "--show", "--json"]
    told = json.loads(recovery.run(*words))
    assert (told["snapshot"], told["newer"]) == (attacked.snapshots[0], 0)
    assert not (recovery.home.path / "password").exists()
    assert not list(recovery.home.path.glob("plan-*"))


def test_a_right_that_ended_is_renewed_while_people_work(attacked, recovery):
    first = attacked.right()
    words = ["start", str(recovery.target), "--plan", str(attacked.plan), "--reserve-mb", "1"]
    driver = recovery.begin_by(*words, "--right", first, *attacked.lent)
    recovery.reached("first_write")
    driver.kill()
    driver.wait(10)
    (recovery.target / "note.txt").write_text("écrit pendant la reprise")
    attacked.vault("credential", "close", json.loads(Path(first).read_text())["opening"])
    recovery.run("start", str(recovery.target), "--right", attacked.right(), "--until-local")
    came_back(attacked, recovery.target)
    report = recovery.finish()
    assert (report["new"], report["doubtful"], report["laid"]) == (["note.txt"], [], 2)


def test_a_drill_goes_through_the_same_door_and_counts_from_what_was_judged_clean(
    attacked, tmp_path
):
    words = ["drill", "run", "--right", attacked.right(), *attacked.lent[:4]]
    words += ["--state", str(attacked.state.folder), "--snapshot", attacked.snapshots[1]]
    ended = releve(*words, "--drills", str(tmp_path / "drills"), "--json")
    made = json.loads(ended.stdout.splitlines()[-1])["certificate"]
    assert (made["verdict"], made["place"]["host"]) == ("passed", "srv1")
    assert made["rpo_judged"]
    assert made["rpo_from"] == made["snapshot_at"]
    assert not list((tmp_path / "drills/lent").glob("*password"))


def test_a_weekly_drill_opens_its_own_right_by_the_path_agreed_for_drills(attacked, tmp_path):
    room = tmp_path / "salle"
    said("vault", "approver", "make-key", room)
    host = ("--structure", STRUCTURE, "--host", "srv1", "--room-key", f"{room}.pub")
    every = ("--drills-every", "7", "--reads", "1G", "--hours", "2", "--until", "2099-01-01")
    attacked.vault("agreement", "add", "essais", *host, *every)
    for name in ("martin", "durand"):
        key = ("--approver", name, "--key", attacked.root / name)
        attacked.vault("agreement", "sign", "essais", *key)
    words = ["drill", "run", "--agreed", "essais", "--room-key", str(room), *attacked.lent[:4]]
    words += ["--state", str(attacked.state.folder), "--snapshot", attacked.snapshots[1]]
    words += ["--drills", str(tmp_path / "drills"), "--json"]
    made = json.loads(releve(*words).stdout.splitlines()[-1])["certificate"]
    assert (made["verdict"], made["place"]["host"]) == ("passed", "srv1")
    left = {path.name for path in (tmp_path / "drills/lent").iterdir()}
    assert left <= {"cache"}, "neither key nor right stays"
    again = releve(*words, check=False)
    assert (again.returncode, "next drill is due" in again.stderr) == (114, True)
    assert releve(*words, "--if-due", "--resume").returncode == 0, "the schedule asks for none"
    told = [n for n in attacked.gate.notices() if n["about"] == "essais"]
    assert [n["notice"] for n in told] == ["drill_opened", "drill_refused"]


def test_a_start_in_the_background_that_ends_at_once_says_why_in_words(tmp_path):
    missing = str(tmp_path / "droit.json")
    words = ("--right", missing, "--plan", missing, "--background")
    done = releve("recover", "start", str(tmp_path / "cabinet"), *words, check=False)
    assert done.returncode == 33
    assert f"{missing} cannot be used" in done.stderr
    assert '{"type"' not in done.stderr
