"""Every page is light; help, the practice's state and a file are near."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.looks import MOST_BYTES, Scales
from tests.console.test_accessible import busy, follow, watched
from tests.console.test_browser import Watched, set_up
from tests.server.world import Running

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
