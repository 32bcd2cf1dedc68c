"""Our GLPI side against answers that real servers gave, as others recorded them (tests/server/glpi/SOURCES.md)."""

from collections.abc import Iterator

import pytest

from releve.adapters.glpi import GlpiDesk
from releve.adapters.sql.store import SqlStore
from releve.flow.server.ticket_ports import GlpiFailed
from releve.model.ticket import Glpi
from tests.server.glpi_world import (
    APP_TOKEN,
    BY_NAME,
    EXCHANGES,
    RECORDED,
    USER_TOKEN,
    Replay,
    replay,
)
from tests.server.test_glpi import Hospital
from tests.server.world import T0


@pytest.fixture
def glpi() -> Iterator[Replay]:
    with replay() as world:
        yield world
        assert world.wrong == []


def known(world: Replay) -> Glpi:
    return Glpi(url=world.url, app_token=APP_TOKEN, user_token=USER_TOKEN, since=T0)


@pytest.fixture
def desk(glpi: Replay) -> Iterator[GlpiDesk]:
    opened = GlpiDesk(known(glpi))
    yield opened
    glpi.now("recorded: end")
    opened.close()


def test_each_recording_names_its_source_and_none_hides_another() -> None:
    assert all(one["source"] for one in RECORDED)
    assert len(BY_NAME) == len(EXCHANGES)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("recorded: no app token", "login"),
        ("asserted: wrong app token", "login"),
        ("recorded: bad user token", "login"),
        ("recorded: login page", "page"),
    ],
)
def test_a_session_that_is_not_opened_says_why(glpi: Replay, name: str, why: str) -> None:
    glpi.now(name)
    with pytest.raises(GlpiFailed, match=why):
        GlpiDesk(known(glpi))


@pytest.mark.parametrize(
    ("number", "name", "status"),
    [
        (123456, "recorded: ticket of 9.2", 2),
        (291, "recorded: ticket of 2022", 2),
        (289, "recorded: solved", 5),
    ],
)
def test_a_recorded_ticket_tells_its_status(
    glpi: Replay, desk: GlpiDesk, number: int, name: str, status: int
) -> None:
    glpi.now(name)
    assert desk.status(number) == status


def test_a_recorded_ticket_in_the_bin_is_gone(
    glpi: Replay, desk: GlpiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = BY_NAME["recorded: solved"]
    monkeypatch.setitem(one, "answer", {**one["answer"], "is_deleted": 1})
    glpi.now("recorded: solved")
    with pytest.raises(GlpiFailed, match="gone"):
        desk.status(289)


def test_a_ticket_s_number_comes_as_text_too(glpi: Replay, desk: GlpiDesk) -> None:
    glpi.now("recorded: made")
    assert desk.create("Lorem ipsum", "x", 4) == 1802200547


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("recorded: one row", 123456),
        ("recorded: rows", 291),
        ("recorded: no row", 0),
        ("asserted: no row", 0),
    ],
)
def test_recorded_searches_are_read(glpi: Replay, desk: GlpiDesk, name: str, number: int) -> None:
    glpi.now(name)
    assert desk.find("Relève abcdef01") == number


def test_a_session_that_ended_there_is_opened_anew(store: SqlStore, glpi: Replay) -> None:
    hospital = Hospital(store, glpi.url)
    hospital.call()
    glpi.now("recorded: session over")
    hospital.tickets.look()
    assert hospital.ticket().trouble == "login"
    glpi.now("ticket", "recorded: no row")
    hospital.later(minutes=1)
    assert glpi.names() == ["recorded: session over", "recorded: no row", "ticket", "assigned"]
    assert hospital.ticket().trouble == ""


def test_a_ticket_that_was_made_without_an_answer_is_found_and_not_made_again(
    store: SqlStore, glpi: Replay
) -> None:
    hospital = Hospital(store, glpi.url)
    hospital.call()
    glpi.now("recorded: made, nothing said")
    hospital.tickets.look()
    assert hospital.ticket().trouble == "refused"
    glpi.now("found")
    hospital.later(minutes=1)
    assert hospital.ticket().number == 15
    assert glpi.names() == ["recorded: made, nothing said", "found", "assigned"]
