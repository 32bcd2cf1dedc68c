"""Every page is light; help, the practice's state and a file are near."""

import datetime as dt
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from releve.adapters.system import new_id
from releve.flow.server import access
from releve.flow.server.enrol import ensure_structure
from releve.model.access import Role
from releve.model.finding import Severity
from releve.model.situation import Situation
from tests.console.looks import MOST_BYTES, Scales
from tests.console.test_accessible import busy, follow, watched
from tests.console.test_browser import Watched, set_up
from tests.server.world import Running, running

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def addresses(case: str) -> tuple[str, ...]:
    """Every page that somebody who is signed in can open by an address."""
    of_case = (f"/incidents/{case}", f"/incidents/{case}/obligations")
    calls = ("/help", "/help/help0", "/help/help1", "/desk", "/a/code0")
    duties = ("/obligations", "/obligations/register", "/statements")
    offices = ("/people", "/structures", "/account", "/situation", "/situation/wall", "/health")
    rest = ("/vault", "/playbooks", "/playbooks/ransomware")
    return ("/", "/incidents", *of_case, *calls, *duties, *offices, *rest)


def test_every_page_is_light(served: Running, chromium: Browser) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, "fr-FR")
    page = seen.page
    set_up(served, seen)
    case = busy(served)
    follow(served, case)
    watched(served)
    weights = {at: cold(page, at) for at in addresses(case)}
    assert {at: w for at, w in weights.items() if w > MOST_BYTES} == {}
    assert [a for a in seen.asked if not a.startswith(served.url)] == []


def cold(page: Page, at: str) -> int:
    """The bytes of a first visit: a browser that keeps nothing."""
    session = page.context.new_cdp_session(page)
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    weight = Scales(page).weigh(at)
    session.detach()
    assert weight > 2000, f"nothing was weighed of {at}"
    return weight


def test_the_scales_find_what_is_too_heavy(served: Running, chromium: Browser) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, "fr-FR")
    page = seen.page
    set_up(served, seen)
    page.context.route(
        "**/console.js", lambda route: route.fulfill(body="/*" + "x" * 300_000 + "*/")
    )
    assert cold(page, "/") > MOST_BYTES


def hit(structure: str, now: dt.datetime) -> Situation:
    """A row that says the most there is to say, as after an attack on many."""
    return Situation(
        structure=structure, mood="down", reasons=("waiting", "break_glass", "vault"),
        incidents=12, severity=Severity.CRITICAL, first_sign=now - dt.timedelta(hours=3),
        hosts=40, silent=12, unheard=3, guard_down=11, guarded=20, watching=9,
        help_waiting=4, help_since=now - dt.timedelta(minutes=7),
        care_blocked=2, blocked_since=now - dt.timedelta(minutes=7),
        clocks_late=2, clock_next=now + dt.timedelta(hours=9),
        backup_at=now - dt.timedelta(days=12), drill_at=now - dt.timedelta(days=40),
        no_backup=14, unsaved=11,
    )  # fmt: skip


def test_the_situation_of_hundreds_is_light_and_names_each(
    tmp_path: Path, chromium: Browser
) -> None:
    many = 620
    with running(tmp_path / "server", jobs=False) as served:  # else they are summed up anew
        served.home.make_setup_code()
        seen = Watched(chromium, served, "fr-FR")
        page = seen.page
        set_up(served, seen)
        store, now = served.store, served.context.clock.now()
        claire = store.person_by_login("claire")
        assert claire is not None
        for number in range(many):
            name = f"Cabinet de la Fontaine-aux-Bruyères {number:04d}"
            owner = ensure_structure(store, name, new_id(), now)
            with store.unit(owner.id) as unit:
                access.give(unit, claire, Role.OPERATOR, actor="admin", now=now)
                unit.put_situation(hit(owner.id, now))
        assert cold(page, "/situation") <= MOST_BYTES
        text = page.locator("main").inner_text().replace("\u00a0", " ")
        assert page.locator("#live tbody tr").count() == 70
    named = re.findall(r"Fontaine-aux-Bruyères (\d{4})", text)
    assert named == [f"{number:04d}" for number in range(500)]
    assert f"et {many - 500} autres encore" in text


@pytest.mark.parametrize("width", [390, 1280])
def test_help_the_state_and_a_lost_file_are_within_three_clicks(
    served: Running, chromium: Browser, width: int
) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, "fr-FR")
    page = seen.page
    set_up(served, seen)
    busy(served)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/")
    expect(page.locator(".state-name")).to_be_in_viewport()  # the state: no click
    page.click("nav a.help-link")  # help: one, and the form is there
    expect(page.locator("#text")).to_be_visible()
    page.click("a[href='/help/file']")  # a lost file: two
    expect(page.locator("main")).to_contain_text("Retrouver un fichier")
    expect(page.locator("main a.button.strong")).to_have_attribute("href", "http://127.0.0.1:8460/")
    assert seen.complaints == []
