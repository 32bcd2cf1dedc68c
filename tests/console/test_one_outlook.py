"""The situation page and the structure's own page say the same of it: now, today, or nothing."""

import html
import re

import httpx

from releve.flow.server import access, actions, situations
from releve.flow.server.ingest import take
from releve.model import event as ev
from releve.model.access import Role
from releve.model.order import Isolate
from tests.console.test_pages import sign_in
from tests.server.world import EnrolledHost, Running, add_host, batch


class Told:
    """What both pages say of one more structure, which Claire is the operator of."""

    def __init__(self, served: Running, browser: httpx.Client) -> None:
        self.served, self.browser = served, browser
        sign_in(served, browser)
        self.host: EnrolledHost = add_host(served.store, "poste", "Cabinet B")
        claire = served.store.person_by_login("claire")
        assert claire is not None
        with self.served.store.unit(self.host.structure) as unit:
            access.give(unit, claire, Role.OPERATOR, actor="admin", now=self.now)

    @property
    def now(self):
        return self.served.context.clock.now()

    def __call__(self) -> tuple[str, str, str]:
        """The row's pill, the number to handle now, the state on the structure's own page."""
        situations.renew(self.served.store, self.host.structure, self.now)
        many = html.unescape(self.browser.get("/situation").text)
        (pill,) = re.findall(
            r'<span class="pill mood-\w+">([^<]+)</span> <a href="/structures', many
        )
        (number,) = re.findall(r"(\d+).à traiter maintenant", many)
        with self.served.store.unit(self.host.structure, writes=False) as unit:
            state = situations.outlook_of(unit, self.now).state
        return pill, number, state

    def open(self) -> str:
        """The structure's own page."""
        (csrf,) = set(
            re.findall(r'name="csrf" value="([^"]+)"', self.browser.get("/structures").text)
        )
        form = {"csrf": csrf, "structure": self.host.structure, "reason": "Appel de 3 h"}
        entered = self.browser.post("/structures", data=form)
        assert entered.is_success
        return html.unescape(self.browser.get("/").text)


def test_a_host_that_never_spoke_is_looked_at_today_on_both_pages(
    served: Running, browser: httpx.Client
) -> None:
    told = Told(served, browser)
    assert told() == ("Aujourd’hui", "0", "today")
    many = html.unescape(browser.get("/situation").text).replace("\xa0", " ")
    assert "1 n’a encore jamais répondu" in many
    assert "muet" not in many
    own = told.open()
    assert "À regarder aujourd’hui" in own
    assert "poste n’a encore jamais répondu : lancez-y l’agent" in own.replace("\xa0", " ")
    assert "Jamais répondu" in own
    assert "ne donne plus de nouvelles" not in own
    assert "Action requise" not in own


def test_a_proposal_that_waits_is_to_be_handled_now_on_both_pages(
    served: Running, browser: httpx.Client
) -> None:
    told = Told(served, browser)
    host, now = told.host, told.now
    take(
        served.store, host.structure, host.id, batch(ev.BackupRan(seen_at=now, ok=True, ms=1)), now
    )
    with served.store.unit(host.structure) as unit:
        actions.propose(unit, host.id, Isolate(), actor="c", identity="a1", now=now)
    assert told() == ("Maintenant", "1", "action")
    for page in ("/situation", "/situation/wall"):
        assert "propositions à décider" in html.unescape(browser.get(page).text)
    assert "Action requise" in told.open()
