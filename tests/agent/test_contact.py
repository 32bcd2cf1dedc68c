"""Whether the server answers, as `releve agent status` tells it: there, away, back, and not knowing us."""

import datetime as dt
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from releve.adapters.contact_file import HomeContactFile
from releve.adapters.help_pad import HelpPad
from releve.adapters.process.guards import ProcessGuards
from releve.apps.agent.config import Home as AgentHome
from releve.apps.agent.showing import Shown, fault, shown
from releve.apps.cli.main import run
from releve.flow.agent.contact import Contact, answered, refused
from releve.flow.agent.help import Pad
from releve.flow.wire import HostTold
from tests.agent.hands import T0, wait_for
from tests.agent.test_with_server import RELEVE, Site, outputs, releve

EVERY = dt.timedelta(seconds=30)
SECOND = dt.timedelta(seconds=1)


class Watched(Site):
    """A site whose agent's log is kept."""

    def run_agent(self, *words: str) -> None:
        command = [*RELEVE, "agent", "run", "--home", str(self.agent_home), "--heartbeat", "1"]
        with self.log().open("ab") as log:
            self.agent = subprocess.Popen([*command, *words], stdout=log, stderr=log)

    def log(self) -> Path:
        return self.agent_home.with_name("agent.log")

    def said(self, event: str) -> int:
        return self.log().read_text().count(event)

    def status(self) -> dict:
        return json.loads(self.asked("--json").stdout)

    def words(self) -> str:
        return self.asked().stdout

    def asked(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Its exit status is one of `releve agent status`, and its result is there whatever it is."""
        command = [*RELEVE, "agent", "status", "--home", str(self.agent_home), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (0, 3, 15, 43, 49), done.stderr
        return done

    def end_server(self) -> None:
        assert self.server is not None
        self.server.kill()
        self.server.wait()

    def end_agent(self) -> None:
        assert self.agent is not None
        self.agent.terminate()
        assert self.agent.wait(20) == 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.close()


def test_an_answer_is_noted_once_a_heartbeat_and_at_once_after_silence() -> None:
    first = answered(Contact(), T0, EVERY)
    assert first == Contact(answered_at=T0)
    assert answered(first, T0 + 29 * SECOND, EVERY) is first, "nothing to write"
    assert answered(first, T0 + EVERY, EVERY).answered_at == T0 + EVERY
    assert answered(first, T0 - EVERY, EVERY).answered_at == T0 - EVERY, "the clock was set back"
    away = refused(first, T0 + SECOND, "ConnectError", is_unknown=False)
    assert (away.away_since, away.answered_at) == (T0 + SECOND, T0)
    assert refused(away, T0 + EVERY, "ConnectError", is_unknown=False) == away, "nothing to write"
    slow = refused(away, T0 + EVERY, "ReadTimeout", is_unknown=False)
    assert (slow.away_since, slow.why) == (T0 + SECOND, "ReadTimeout")
    gone = refused(slow, T0 + EVERY, "unknown_agent", is_unknown=True)
    assert (gone.away_since, gone.is_unknown) == (T0 + EVERY, True), "since then it answers so"
    assert answered(gone, T0 + EVERY + SECOND, EVERY) == Contact(answered_at=T0 + EVERY + SECOND)


def test_a_note_that_cannot_be_written_or_read_stops_nothing(tmp_path: Path) -> None:
    notes = HomeContactFile(tmp_path / "none" / "contact.json")
    notes.save(Contact(answered_at=T0))
    assert notes.load() == Contact()
    notes = HomeContactFile(tmp_path / "contact.json")
    notes.save(Contact(answered_at=T0))
    assert notes.load() == Contact(answered_at=T0)
    assert oct((tmp_path / "contact.json").stat().st_mode & 0o777) == "0o600"
    (tmp_path / "contact.json").write_bytes(b"")
    assert notes.load() == Contact()


def test_the_status_tells_whether_the_server_answers(site: Watched) -> None:
    site.serve()
    site.enrol()
    before = site.status()
    assert (before["server_answers"], before["server_knows_agent"]) == (None, None)
    assert "pas interrogé : l'agent ne travaille pas (jamais de réponse)" in site.words()
    asked = site.asked()
    assert asked.returncode == 3
    assert "systemctl start releve-agent" in asked.stderr
    site.run_agent()
    wait_for(lambda: site.status()["server_answers"] is True, 30)
    assert site.asked().returncode == 0
    words = site.words()
    assert "le serveur répond, il y a " in words
    assert "Agent : travaille" in words
    assert "aucun n'est demandé ici" in words
    assert "events_waiting" not in words, "sentences, no names of fields"
    site.end_server()
    wait_for(lambda: site.status()["server_answers"] is False, 30)
    away = site.status()
    assert (away["server_away_why"], away["server_knows_agent"]) == ("ConnectError", True)
    assert away["server_answered_at"] <= away["server_away_since"]
    since = dt.datetime.fromisoformat(away["server_away_since"]).astimezone()
    zone = since.isoformat()[-6:]
    said = f"plus atteint depuis le {since:%d/%m/%Y à %H:%M:%S} (UTC{zone}) : connexion impossible"
    assert said in site.words()
    assert site.asked().returncode == 49
    site.serve()
    wait_for(lambda: site.status()["server_answers"] is True, 40)
    assert site.said("server_answers_again") == 1
    site.end_agent()
    assert site.status()["server_answers"] is None
    assert "pas interrogé : l'agent ne travaille pas (dernière réponse le " in site.words()


def test_a_structure_that_left_is_said_once_and_the_guard_goes_on(site: Watched) -> None:
    site.serve()
    site.enrol()
    share, held = site.agent_home.with_name("share"), site.agent_home.with_name("held")
    share.mkdir()
    site.run_agent("--guard", f"--portable --protect {share} --store {held}")
    wait_for(lambda: b'"ready"' in b"".join(outputs(site)), 40)
    wait_for(lambda: site.status()["server_answers"] is True, 30)
    site.end_server()
    shutil.copytree(site.server_home, site.server_home.with_name("kept"))
    gone = ("--structure", "Cabinet", "--out", str(site.agent_home.with_name("out")))
    why = ("--erase", "--by", "A. Martin", "--reason", "fin de contrat")
    releve("leave", *gone, *why, "--home", str(site.server_home))
    site.serve()
    wait_for(lambda: site.status()["server_knows_agent"] is False, 40)
    assert site.status()["server_answers"] is False
    assert site.asked().returncode == 43
    words = site.words()
    assert "il ne connaît plus cette machine depuis le " in words
    assert "releve agent enrol --token JETON" in words
    assert "Gardien et sauvegarde continuent, celle-ci tant que le coffre la prend." in words
    assert ProcessGuards(site.agent_home / "guard", ()).status().running
    failed = site.said("server_not_reached")
    site.feed(0, 3)
    time.sleep(4)  # several first retries
    assert site.said("agent_unknown_to_server") == 1
    assert site.said("server_not_reached") == failed, "not told as one that is away"
    the_same_server_restored_knows_it_again(site)


def the_same_server_restored_knows_it_again(site: Watched) -> None:
    site.end_server()
    shutil.rmtree(site.server_home)
    shutil.move(site.server_home.with_name("kept"), site.server_home)
    site.serve()
    time.sleep(4)
    assert site.waiting() >= 3, "kept, and not even asked: an agent that runs asks rarely"
    site.end_agent()
    site.run_agent()  # asks at once
    wait_for(lambda: site.stored()[:3] == [0, 1, 2], 40)
    wait_for(lambda: site.status()["server_knows_agent"] is True, 10)


def test_the_gravest_fault_gives_the_status() -> None:
    well = Shown(
        host="h", name="poste", structure="Cabinet", server="https://x", agent_running=True,
        guard_running=True, guard_pid=7, events_waiting=0, server_answers=True,
        server_knows_agent=True, server_answered_at=T0, server_away_since=None, server_away_why="",
    )  # fmt: skip
    assert fault(well, guard_asked=True) is None
    known = {
        15: {"guard_running": False, "agent_running": False},
        3: {"agent_running": False, "server_knows_agent": False},
        43: {"server_knows_agent": False, "server_answers": False},
        49: {"server_answers": False},
    }
    for status, facts in known.items():
        told = fault(msgspec.structs.replace(well, **facts), guard_asked=True)
        assert told is not None
        assert told.status == status
    alone = fault(msgspec.structs.replace(well, guard_running=False), guard_asked=True)
    both = {"guard_running": False, "agent_running": False}
    nobody = fault(msgspec.structs.replace(well, **both), guard_asked=True)
    assert alone is not None
    assert nobody is not None
    assert "L'agent le relance" in alone.remedy
    assert "systemctl start releve-agent" in nobody.remedy, "no agent starts it again"
    unasked = msgspec.structs.replace(well, guard_running=False, server_answers=None)
    assert fault(unasked, guard_asked=False) is None, "nobody asks for a guard, nobody asked it yet"


@pytest.mark.parametrize(
    ("agent", "guard", "said"),
    [
        (True, False, "La sauvegarde continue tant que le coffre la prend."),
        (False, True, "Le gardien continue."),
        (False, False, "Rien ne tourne plus ici."),
    ],
)
def test_nothing_is_said_to_go_on_that_does_not_run(agent: bool, guard: bool, said: str) -> None:
    now = dt.datetime.now(dt.UTC)
    facts = Shown(
        host="h", name="poste", structure="Cabinet", server="https://x", agent_running=agent,
        guard_running=guard, guard_pid=7 if guard else None, events_waiting=0,
        server_answers=False, server_knows_agent=False, server_answered_at=now,
        server_away_since=now, server_away_why="unknown_agent",
    )  # fmt: skip
    words = shown(facts, guard_asked=True, now=now)
    assert said in words
    assert "Gardien et sauvegarde" not in words


def test_a_call_that_does_not_reach_the_server_names_whom_to_call(site: Watched, capsys) -> None:
    site.serve()
    site.enrol()
    site.end_server()
    words = ["help", "ask", "rien ne marche", "--home", str(site.agent_home)]
    assert run(words) == 49
    assert "les numéros de la fiche imprimée" in capsys.readouterr().err
    state = HostTold(
        incidents=0, phones=("Dr Martin 0299000001",), server_time=dt.datetime.now(dt.UTC)
    )
    HelpPad(AgentHome(site.agent_home).help).save(Pad(state=state))
    assert run(words) == 49
    said = capsys.readouterr().err
    assert "L'appel n'est pas parti : appeler soi-même" in said
    assert "Dr Martin 0299000001" in said
