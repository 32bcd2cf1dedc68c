"""The plan takes the first malicious write from the incident that the server keeps."""

import contextlib
import datetime as dt
import json
import sqlite3

import pytest

from releve.adapters.scan.catalogue import SqliteCatalogue
from releve.apps.cli.main import run
from releve.apps.recover.planning import IncidentUnknownError
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server.ports import Structure
from releve.model.backup import Snapshot
from releve.model.clean import DataSet, Judgement, Verdict
from releve.model.finding import Severity
from releve.model.incident import Incident, Stop

START = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "server")
    made.make()
    store = make_store(made)
    store.put_structure(Structure(id="cabinet", name="Cabinet", created_at=START))
    stop = Stop(family="f", at=START + HOUR, action="killed", stop_ms=60_000, files_touched=3)
    incident = Incident(
        id="inc-1",
        structure="cabinet",
        host="h",
        opened_at=START + 2 * HOUR,
        last_at=START + 2 * HOUR,
        severity=Severity.CRITICAL,
        stops=(stop,),
    )
    with store.unit("cabinet") as unit:
        unit.put_incident(incident)
    return tmp_path / "server"


@pytest.fixture
def state(tmp_path):
    """Three clean snapshots, one an hour; the second ends within the minute before the stop."""
    folder = tmp_path / "state"
    folder.mkdir()
    catalogue = SqliteCatalogue(folder / "catalogue.sqlite")
    for number in range(3):
        at = START + number * HOUR - dt.timedelta(minutes=5)
        snapshot = Snapshot(
            id=f"{number:064x}",
            at=at,
            host="h",
            folders=("/s",),
            ended_at=at + dt.timedelta(minutes=4.5),
        )
        place = catalogue.place(snapshot, "r")
        catalogue.plan(place, [], [DataSet(name="/s", path="/s")])
        catalogue.judge(place, [Judgement(data_set="/s", verdict=Verdict.CLEAN)], done=True)
    catalogue.close()
    return folder


def test_the_clean_point_lies_before_the_incidents_first_write(home, state, capsys):
    words = ["--server-home", str(home), "--state", str(state), "--json"]
    assert run(["recover", "plan", "--since-incident", "inc-1", *words]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["cut"] == "2026-11-20T03:59:00Z"
    assert plan["sets"][0]["snapshot"] == f"{0:064x}"


def test_the_server_s_folder_may_stand_in_the_environment(home, state, capsys, monkeypatch):
    monkeypatch.setenv("RELEVE_SERVER_HOME", str(home))
    words = ["--state", str(state), "--json"]
    assert run(["recover", "plan", "--since-incident", "inc-1", *words]) == 0
    assert json.loads(capsys.readouterr().out)["cut"] == "2026-11-20T03:59:00Z"


def test_an_unknown_incident_is_said_with_what_to_do(home, state, capsys):
    words = ["--server-home", str(home), "--state", str(state), "--json"]
    assert (
        run(["recover", "plan", "--since-incident", "inc-9", *words]) == IncidentUnknownError.status
    )
    assert "--first-write" in json.loads(capsys.readouterr().err)["remedy"]


def test_another_programs_database_in_the_servers_place_is_left_as_it_is(tmp_path, state, capsys):
    with contextlib.closing(sqlite3.connect(tmp_path / "releve.db")) as other:
        other.execute("CREATE TABLE incident (text)")
    before = (tmp_path / "releve.db").read_bytes()
    words = ["--server-home", str(tmp_path), "--state", str(state), "--json"]
    assert (
        run(["recover", "plan", "--since-incident", "inc-1", *words]) == IncidentUnknownError.status
    )
    assert (tmp_path / "releve.db").read_bytes() == before
    assert not list(tmp_path.glob("releve.db-*"))
