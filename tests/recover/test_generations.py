"""A plan over two generations: letters of the first, the rest of the second, each by its own key."""

import datetime as dt
import os
import sqlite3
import time

import pytest

from releve.apps.backup.state import State
from releve.model.errors import UsageError
from releve.recover.course import Cause, course
from tests.recover.practice import Recovery
from tests.recover.test_from_incident import Attacked, said
from tests.vault.conftest import releve

pytestmark = pytest.mark.need("root", "restic", "overlay")


class Rotated(Attacked):
    """The generation was changed; after it letters are destroyed, the database and one letter are honest."""

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
        said("key", "rotate", "--why", "PC volé", "--yes", "--state", self.state.folder)
        self.state = State(str(self.state.folder))
        second = str(self.root / "envelope-2.json")
        words = ("key", "escrow", "add", "--to", self.room_public, "--out", second)
        said(*words, "--state", str(self.state.folder))
        self.first, self.second = self.lent[:4], ("--envelope", second)
        self.lent = (*self.first, *self.second, *self.lent[4:])
        for number in range(5, 15):
            (self.share / f"lettres/CR {number}.docx").write_bytes(os.urandom(9000))
        self.letter("lettres/CR 99.docx", "nouveau et sain")
        with sqlite3.connect(self.share / "patients.db") as database:
            database.executemany("INSERT INTO visite (note) VALUES (?)", [("récent",)] * 50)
        database.close()
        self._back_up()
        time.sleep(0.05)
        self.cut = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def rotated(tmp_path_factory):
    made = Rotated(tmp_path_factory.mktemp("rotated"))
    yield made
    made.gate.stop()


@pytest.fixture
def recovery(rotated, tmp_path):
    begun = Recovery(tmp_path, rotated.share, tmp_path / "repris")
    yield begun
    begun.close()


@pytest.mark.timeout(180)
def test_one_recovery_takes_each_part_from_the_generation_that_has_it_clean(rotated, recovery):
    words = ["start", str(recovery.target), "--plan", str(rotated.plan), "--right", rotated.right()]
    recovery.run(*words, *rotated.lent, "--until-local")
    asked = recovery.home.asked()
    assert (asked.snapshot, asked.course.bases) == (rotated.snapshots[0], "")
    assert [other.snapshots for other in asked.others] == [(rotated.snapshots[1],)]
    letters = {path.name for path in recovery.target.glob("lettres/*.docx")}
    assert letters == {f"CR {n}.docx" for n in (*range(30), 99)}
    assert not [p for p in recovery.target.glob("lettres/*.docx") if p.read_bytes()[:2] != b"PK"]
    place = f"file:{recovery.target}/patients.db?mode=ro"
    with sqlite3.connect(place, uri=True) as database:
        assert database.execute("SELECT count(*) FROM visite").fetchone() == (250,)
    database.close()
    points = [p for p in recovery.home.path.glob("vault-*") if p.is_dir()]
    assert len(points) == 1, "the other generation is not mounted any more"
    report = recovery.finish()
    assert (report["doubtful"], report["left"], report["laid"]) == ([], [], 2)
    assert not list(recovery.home.path.rglob("*password"))


def test_an_envelope_of_a_generation_that_the_plan_needs_must_be_there(rotated, recovery):
    right = rotated.right()
    for envelopes in (rotated.first, (*rotated.first, *rotated.first[:2])):
        words = (
            "recover",
            "start",
            str(recovery.target),
            "--plan",
            str(rotated.plan),
            "--right",
            right,
        )
        done = releve(*words, *envelopes, *rotated.lent[-2:], "--json", check=False)
        assert done.returncode in (UsageError.status, 35), done.stderr
        assert not (recovery.home.path / "asked.json").exists()


def test_a_database_of_another_repository_is_laid_and_never_a_layer(rotated) -> None:
    from releve.apps.backup.judging import catalogue
    from releve.apps.recover.planning import plan_of

    with catalogue(rotated.state) as kept:
        plan = plan_of(kept, rotated.cut)
    together = course(plan, str(rotated.share))
    apart = course(plan, str(rotated.share), apart={rotated.snapshots[1]})
    assert (together.bases, apart.bases) == (rotated.snapshots[1], "")
    assert [p.path for p in apart.pieces if p.cause is Cause.DATABASE] == ["patients.db"]
