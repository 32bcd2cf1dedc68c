"""Who did it, in the audit trail's words: a login is shown as it is, whatever it is called."""

import re
from pathlib import Path

import pytest

from releve.model.access import Role
from tests.server.test_access import browser, person
from tests.server.world import running


@pytest.mark.parametrize("login", ["server", "admin", "identity", "password", "token/9f86d081"])
def test_nobody_is_taken_for_the_server_by_a_login(tmp_path: Path, login: str) -> None:
    with running(tmp_path / "server") as served, browser(served, Role.LEAD) as client:
        now = served.context.clock.now()
        who = person(served.store, "A", login, Role.LEAD, now)
        with served.store.unit(who.structure) as unit:
            unit.record(now, login, "incident/i1", "close", "relu")
            unit.record(now, "server", "incident/i1", "open", "notice")
        page = client.get("/health?lang=fr").text
        rows = re.findall(r"<tr>.*?</tr>", page[page.index('id="h-trail"') :])
        (closed,) = [row for row in rows if "relu" in row]
        assert f'data-label="Qui">{login}</td>' in closed
        if login != "server":
            (opened,) = [row for row in rows if "à noter" in row]
            assert 'data-label="Qui">le serveur</td>' in opened
