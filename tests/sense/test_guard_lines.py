import datetime as dt
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.model import event as ev
from releve.model import lines
from releve.sense.guard_lines import MOST_PATHS, Sensed, parse
from releve.sense.path_token import PathKey, token_of

KEY = PathKey(key=b"k" * 32, labels={"/srv/cabinet": "Cabinet"})
AT = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
PATH = "/srv/cabinet/DUPONT_Jean_CR.docx"


def read(line: lines.Line | bytes) -> Sensed:
    record = line if isinstance(line, bytes) else msgspec.json.encode(line)
    found = parse(record, offset=0, key=KEY, read_at=AT)
    assert isinstance(found, Sensed)
    return found


def test_a_stop_becomes_an_event_without_the_name() -> None:
    line = lines.Stopped(
        family="f1",
        points=(lines.Point(why=f"« {PATH} » réécrit", score=3.0, path=PATH),),
        first_write_to_stop_ms=12.0,
        action="killed",
        files_touched=3,
        at="2026-11-22T00:59:00+00:00",
        program="/usr/bin/gpg",
    )
    sensed = read(line)
    assert isinstance(sensed.event, ev.FamilyStopped)
    assert sensed.event.program == "gpg"
    assert sensed.event.seen_at.minute == 59
    assert b"DUPONT" not in msgspec.json.encode(sensed.event)
    assert sensed.names == ((token_of(KEY.key, PATH), PATH),)


@pytest.mark.parametrize("nobody", ["(pendant l'arrêt)", "(inconnu)"])
def test_an_author_whom_nobody_saw_has_no_name(nobody: str) -> None:
    """Else a token of those words stands in the console and in a complaint, as if it were a program."""
    line = lines.Stopped(
        family="f1", points=(), first_write_to_stop_ms=40_000.0, action="none", files_touched=80,
        at="2026-11-22T00:59:00+00:00", program=nobody,
    )  # fmt: skip
    event = read(line).event
    assert isinstance(event, ev.FamilyStopped)
    assert event.program == ""


def test_counts_stay_whole_when_lists_are_cut() -> None:
    lost = tuple(f"/srv/cabinet/{n}.docx" for n in range(MOST_PATHS + 50))
    line = lines.RolledBack(
        family="f1", restored=1, lost=lost, newest_save_lost=(), quarantined=(PATH,)
    )
    event = read(line).event
    assert isinstance(event, ev.FamilyRolledBack)
    assert (event.lost, len(event.lost_paths), event.quarantined) == (250, MOST_PATHS, 1)


def test_a_folder_is_told_by_its_label_or_its_number() -> None:
    folders = tuple(
        lines.Folder(path=path, mode="copy", attribution="exact", room_bytes=1)
        for path in ("/srv/cabinet", "/home/dupont")
    )
    event = read(lines.Ready(folders=folders, enforce=True, pid=1)).event
    assert isinstance(event, ev.GuardReady)
    assert [f.label for f in event.folders] == ["Cabinet", "2"]
    assert b"dupont" not in msgspec.json.encode(event)


def test_unknown_keys_are_ignored_and_a_missing_time_is_the_reader_s() -> None:
    record = json.dumps({"event": "alert", "kind": "overflow", "why": "x", "new": 1}).encode()
    assert read(record).event.seen_at == AT


@pytest.mark.parametrize("record", [b"", b"{", b'{"event":"new"}', b"\xff\xfe", b"[]", b"null"])
def test_what_cannot_be_read_is_a_value(record: bytes) -> None:
    found = parse(record, offset=7, key=KEY, read_at=AT)
    assert isinstance(found, ev.Unreadable)
    assert found.offset == 7


@given(st.binary(max_size=300))
def test_no_bytes_raise(record: bytes) -> None:
    parse(record, offset=0, key=KEY, read_at=AT)
