"""The agent's drills, with the real command: it tells how each ended, and that they are expected."""

import json
from random import Random

import anyio
import msgspec
import pytest

from releve.adapters.process.commands import ProcessCommands
from releve.adapters.spool.sqlite import SqliteSpool
from releve.adapters.system import SystemClock
from releve.apps.agent.config import Config
from releve.apps.agent.wiring import drill_command
from releve.flow.agent.drill import drill_forever, drill_once
from releve.model.event import DrillRan
from releve.model.host import HostState
from releve.triage.hosts import step
from tests.agent.hands import events

pytestmark = pytest.mark.restic


def command(practice) -> tuple[str, ...]:
    config = Config(
        url="http://127.0.0.1:9", structure="s", structure_name="Cabinet", host="h",
        host_name="accueil", server_key=b"", has_authority=False,
        backup=("--state", str(practice.state.folder), "--json"),
        drill=("--drills", str(practice.drills)),
    )  # fmt: skip
    return drill_command(config)


def test_the_agent_goes_on_with_an_interrupted_drill_and_tells_how_it_ended(practice, tmp_path):
    practice.back_up()
    practice.call("schedule", "--hour", "0")
    practice.kill_after_steps(3, "--if-due", "--resume")
    spool = SqliteSpool(tmp_path / "agent.db")
    parts = (ProcessCommands(), spool, SystemClock(), command(practice))
    told = anyio.run(drill_once, *parts, set())
    assert told is not None
    assert (told.ok, told.status, told.detail) == (True, 0, "")
    assert told.bytes > 0
    assert told.drill, "the id of its certificate"
    certificate = next((practice.drills / "certificates").glob(f"{told.drill}.json"))
    steps = {m["name"]: m for m in json.loads(certificate.read_bytes())["certificate"]["rto"]}
    # Killed after its third step: what came before was measured, what came after was interrupted.
    assert told.first_file_s == steps["first_file"]["elapsed_s"]
    assert (told.all_local_s is None) == steps["all_local"]["is_interrupted"]
    assert told.rpo_s is not None
    assert anyio.run(drill_once, *parts, {told.drill}) is None, "the next one is due in a week"

    async def for_a_moment() -> None:
        with anyio.move_on_after(0.3):
            await drill_forever(*parts, 3600.0, Random(1))

    anyio.run(for_a_moment)
    assert [event.is_expected for event in events(spool)] == [False, True]


def test_a_drill_that_a_person_made_is_told_once_it_is_asked_for(practice, tmp_path):
    practice.back_up()
    practice.call("schedule", "--hour", "0")
    known = msgspec.structs.replace(practice.state.config(), structure="Cabinet du Parc")
    practice.state.reconfigure(known)
    status, made = practice.drill()
    assert (status, made["structure"]) == (0, "Cabinet du Parc")
    spool = SqliteSpool(tmp_path / "agent.db")
    parts, known = (ProcessCommands(), spool, SystemClock(), command(practice)), set()
    told = anyio.run(drill_once, *parts, known)
    assert told is not None
    assert (told.ok, told.drill, told.files) == (True, made["id"], made["files"])
    assert anyio.run(drill_once, *parts, known) is None
    assert [event.drill for event in events(spool)] == [made["id"]]
    expected = DrillRan(seen_at=told.seen_at, ok=True, is_expected=True)
    state = step(step(HostState(), expected), told)
    assert state.drill is not None
    assert state.drill.last_good_at == told.seen_at
    assert step(state, told) == state, "told again, it changes nothing"
