"""From a real guard's lines to one incident: two hosts that met the same encryptor are one attack."""

import datetime as dt
import json
from collections.abc import Callable

import pytest

from releve.detect.guard_findings import find
from releve.model.incident import Incident
from releve.model.indicator import indicator_of
from releve.sense.guard_lines import Sensed, parse
from releve.sense.path_token import PathKey
from releve.triage.incidents import step
from tests.guard.ground import Ground, Line

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]
AT = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
ADDED, NOTE = ".Wxyz42", "COMMENT_RECUPERER.txt"
TOKENS = {indicator_of("extension", "wxyz42"), indicator_of("note", "comment_recuperer.txt")}


def sensed(line: Line, host: str) -> Sensed:
    key = PathKey(key=host.encode().ljust(32))  # hosts share none
    found = parse(json.dumps(line).encode(), offset=0, key=key, read_at=AT)
    assert isinstance(found, Sensed)
    return found


def test_what_an_encryptor_stamps_links_the_hosts_that_met_it(
    ground_on: Callable[[str], Ground],
) -> None:
    ground = ground_on("ext4")
    ground.build(24)  # one file a folder: the guard stops it before many
    attackers, guard = ground.attackers(), ground.guard()
    guard.ready()
    attackers.python("stamp", ground.share, ADDED, NOTE)
    lines = [guard.wait("stopped"), guard.wait("rolled_back")]
    open_: dict[str, Incident] = {}
    for host in ("serveur", "imagerie"):
        for number, line in enumerate(lines):
            event = sensed({**line, "user": host, "program": host}, host).event
            finding = find(event, host=host, identity=f"{host}-{number}")
            assert finding is not None
            change = step(tuple(open_.values()), finding, structure="s")
            assert change is not None
            open_ |= {i.id: i for i in change.incidents}
            open_ = {i.id: i for i in open_.values() if i.closed_at is None}
    (incident,) = open_.values()
    assert set(incident.hosts) == {"serveur", "imagerie"}
    assert set(incident.indicators["serveur"]) == TOKENS
    assert any("même indicateur" in entry.why for entry in incident.timeline)
    told = dict(sensed(lines[1], "serveur").names)
    assert {told[token] for token in TOKENS} == {"wxyz42", "comment_recuperer.txt"}
