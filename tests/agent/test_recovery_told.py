"""What the agent tells of this host's recoveries: each step at once, progress now and then, no clear path."""

import datetime as dt
import os
from pathlib import Path

import msgspec
import pytest

from releve.adapters.linux import samba_proc
from releve.adapters.recoveries import Recoveries
from releve.flow.agent.recovery import RecoveryTeller
from releve.model.event import RecoveryTold
from releve.model.recovery import RecoveryNote
from releve.sense.path_token import PathKey
from tests.agent.hands import T0, events, open_spool
from tests.server.world import SetClock

FOLDER = "/srv/cabinet/DUPONT"


class Host:
    """A host with a recovery whose driver is this process."""

    def __init__(self, home: Path, labels: dict[str, str] | None = None) -> None:
        self.recoveries, self.clock = Recoveries(home / "notes"), SetClock(T0)
        self.spool = open_spool(home)
        key = PathKey(key=b"k" * 32, labels=labels or {})
        self.teller = RecoveryTeller(self.recoveries, self.spool, self.clock, key)
        seen = samba_proc.look(os.getpid())
        assert seen is not None
        self.note = RecoveryNote(
            id="r1", incident="i1", folder=FOLDER, snapshot="ab", clean_at=T0, ordered_at=T0,
            phase="open", pid=seen.pid, starttime=seen.starttime, files=9,
        )  # fmt: skip

    def goes_on(self, **changes: object) -> None:
        self.note = msgspec.structs.replace(self.note, **changes)
        self.recoveries.keep(self.note)
        self.teller.look()

    def told(self) -> list[RecoveryTold]:
        return [e for e in events(self.spool) if isinstance(e, RecoveryTold)]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_step_is_told_at_once_and_progress_every_few_seconds(host: Host) -> None:
    host.goes_on(seconds={"open": 1.0})
    host.goes_on(files_home=1)
    host.goes_on(files_home=2)
    assert [e.files_home for e in host.told()] == [0]
    host.clock.forward(seconds=3)
    host.goes_on(files_home=3)
    host.goes_on(seconds={"open": 1.0, "all_local": 4.0}, phase="local")
    host.teller.look()
    assert [(e.phase, e.files_home) for e in host.told()] == [
        ("open", 0),
        ("open", 3),
        ("local", 3),
    ]


def test_a_driver_that_died_is_told_as_not_running(host: Host) -> None:
    host.goes_on()
    host.goes_on(starttime=1)  # that number belongs to another process by now
    assert [e.is_running for e in host.told()] == [True, False]


def test_the_folder_leaves_as_a_token_and_by_its_label_only(tmp_path: Path) -> None:
    host = Host(tmp_path, {FOLDER: "Dossiers"})
    host.goes_on()
    (event,) = host.told()
    assert event.label == "Dossiers"
    assert b"DUPONT" not in msgspec.json.encode(event)


def test_one_that_names_no_incident_and_a_torn_note_are_not_told(host: Host) -> None:
    host.goes_on(incident="")
    (host.recoveries._folder / "x.json").write_bytes(b'{"id": ')
    host.teller.look()
    assert host.told() == []


def test_after_a_restart_the_last_state_is_told_again(host: Host) -> None:
    host.goes_on()
    again = RecoveryTeller(host.recoveries, host.spool, host.clock, PathKey(key=b"k" * 32))
    again.look()
    again.look()
    first, second = host.told()
    assert msgspec.structs.replace(second, seen_at=first.seen_at) == first
    assert first.clean_at == T0.replace(tzinfo=dt.UTC)
