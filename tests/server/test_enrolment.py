import datetime as dt
from pathlib import Path

import pytest

from releve.adapters.sql.engine import ServerRunningError, only_server
from releve.adapters.sql.store import SqlStore
from releve.flow.envelope import read_token, write_token
from releve.flow.server.enrol import enrol, ensure_structure, make_token
from releve.flow.wire import EnrolRequest
from releve.model.token import EnrolmentToken
from tests.server.world import T0

SECRET = b"s" * 32
REQUEST = EnrolRequest(secret=SECRET, public_key=b"p" * 32, name="h")


def prepare(store: SqlStore) -> str:
    owner = ensure_structure(store, "Cabinet", "s1", T0)
    make_token(store, owner.id, SECRET, T0, T0 + dt.timedelta(hours=1))
    return owner.id


def test_a_token_enrols_one_host_once(store: SqlStore) -> None:
    structure = prepare(store)
    reply = enrol(store, REQUEST, "h1", T0)
    assert reply is not None
    assert (reply.structure, reply.structure_name) == (structure, "Cabinet")
    other = EnrolRequest(secret=SECRET, public_key=b"q" * 32, name="h")
    assert enrol(store, other, "h2", T0) is None
    again = enrol(store, REQUEST, "h3", T0 + dt.timedelta(days=1))
    assert again is not None, "its answer was lost: told again, to the same key"
    assert again.host == "h1"
    with store.unit(structure, writes=False) as unit:
        assert [h.id for h in unit.hosts()] == ["h1"]


def test_an_expired_or_unknown_token_enrols_nobody(store: SqlStore) -> None:
    prepare(store)
    assert enrol(store, REQUEST, "h1", T0 + dt.timedelta(hours=1)) is None
    wrong = EnrolRequest(secret=b"w" * 32, public_key=b"p" * 32, name="h")
    assert enrol(store, wrong, "h1", T0) is None


def test_the_secret_itself_is_nowhere_on_the_server(tmp_path: Path, store: SqlStore) -> None:
    prepare(store)
    for file in tmp_path.iterdir():
        assert SECRET not in file.read_bytes()


def test_a_structure_is_made_once(store: SqlStore) -> None:
    first = ensure_structure(store, "Cabinet", "a", T0)
    assert ensure_structure(store, "Cabinet", "b", T0) == first


def test_a_token_reads_back_and_nothing_else_is_one() -> None:
    token = EnrolmentToken(url="https://x", secret=SECRET, server_key=b"k" * 32)
    assert read_token(f" {write_token(token)}\n") == token
    for text in ("", "releve1.", "releve1.é", "releve1.AAAA", write_token(token)[:-4]):
        assert read_token(text) is None


def test_a_second_server_on_one_home_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(ServerRunningError, match="process")
    with only_server(tmp_path), refused, only_server(tmp_path):
        pass
    with only_server(tmp_path):
        pass
