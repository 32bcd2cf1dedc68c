"""`releve structure posture`: the page's days, on a real store."""

import datetime as dt
import json
from pathlib import Path

import pytest

from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock
from releve.apps.cli.main import run
from releve.apps.console.posture_views import drawn
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.model.posture import Posture
from tests.server.world import EnrolledHost, add_host

DAY = dt.timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = Home(tmp_path / "home")
    place.make()
    return tmp_path / "home"


def filled(store: SqlStore, today: dt.date) -> EnrolledHost:
    host = add_host(store, "serveur")
    with store.unit(host.structure) as unit:
        unit.put_posture(Posture(day=today - 200 * DAY, hosts=9))
        unit.put_posture(Posture(day=today - 2 * DAY, hosts=2, down=1, is_backup_late=True))
        unit.put_posture(
            Posture(day=today - DAY, hosts=2, guarded=2, incidents=1, backup_hours=5, drill_days=3)
        )
    return host


def said(home: Path, capsys: pytest.CaptureFixture[str], name: str, *words: str) -> str:
    capsys.readouterr()
    assert run(["structure", "posture", name, "--home", str(home), *words]) == 0
    return capsys.readouterr().out.replace("\u00a0", " ")


def test_the_days_are_the_pages_newest_first(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, now = make_store(Home(home)), SystemClock().now()
    host = filled(store, now.date())
    told = json.loads(said(home, capsys, "Cabinet A", "--json"))
    with store.unit(host.structure, writes=False) as unit:
        page = drawn(unit, now)
    assert [day["day"] for day in told["days"]] == [str(day.day) for day in page.days]
    assert [day["incidents"] for day in told["days"]] == [1, 0]
    assert told["lacks"] == ["guard", "backup", "drill"]


def test_people_read_the_words_of_the_pages_table(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(make_store(Home(home)), SystemClock().now().date())
    first, newest, older, *do = said(home, capsys, "Cabinet A").splitlines()
    assert first.startswith("Du ")
    assert "1 incident ouvert · 2 postes gardés sur 2 · Sauvegarde : 5 h" in newest
    assert newest.endswith("Essai de restauration : 3 jours")
    assert "1 gardien ne tourne pas · Sauvegarde : — (À traiter)" in older
    assert any(line.endswith("releve backup run") for line in do)


def test_a_structure_without_days_says_when_they_begin_and_its_name_is_one_word(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "A; rm -rf \x1b[2J"
    store = make_store(Home(home))
    add_host(store, "serveur", name)
    text = said(home, capsys, name)
    assert "Aucun jour n’est encore noté" in text
    assert "\x1b" not in text
