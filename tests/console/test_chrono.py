"""Legal clocks and the care clock go on by themselves; without script what the server told stands there."""

import datetime as dt
import html
import re

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from releve.flow.server import obligations
from releve.flow.server.reminding import remind_some
from tests.console.test_accessible import violations
from tests.console.test_browser import Watched, set_up
from tests.console.test_incident_pages import PROFILE
from tests.console.test_obligations import attacked
from tests.console.test_pages import sign_in
from tests.server.declared import LAW
from tests.server.world import Running

pytestmark = pytest.mark.browser


def declared(served: Running) -> str:
    incident = attacked(served)
    now = served.context.clock.now()
    (structure,) = served.store.structures()
    with served.store.unit(structure.id) as unit:
        names = (unit.hosts()[0].name,)
        service = msgspec.structs.replace(PROFILE.services[0], hosts=names)
        unit.put_profile(msgspec.structs.replace(PROFILE, services=(service,)))
        said = obligations.Said(by="Dr Martin")
        obligations.declare(unit, LAW, incident, said, login="claire", now=now)
    return incident


def seconds(clock: Locator) -> int:
    found = re.search(r"(\d+)\sh\s(\d\d):(\d\d)", clock.inner_text())
    assert found, clock.inner_text()
    hours, minutes, rest = (int(part) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def test_clocks_go_on_and_cross_their_end(served: Running, chromium: Browser) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, "fr-FR")
    page = watched.page
    set_up(served, watched)
    incident = declared(served)
    page.clock.install()
    page.goto(f"/incidents/{incident}/obligations")
    clock = page.locator("[data-chrono=down]").first
    expect(clock).to_have_text(re.compile(r"reste\s\d+\sh\s\d\d:\d\d"))
    before = seconds(clock)
    page.clock.run_for(5000)
    assert before - seconds(clock) in (4, 5, 6)
    up = page.locator("[data-chrono=up]").first
    assert seconds(up) >= 5
    page.clock.fast_forward(before * 1000 + 90_000)
    page.clock.run_for(1000)
    expect(clock).to_have_text(re.compile(r"en retard de\s0\sh\s0[12]:\d\d"))
    expect(clock).to_have_class(re.compile("mood-down"))
    # A clock that speaks every second would drown the page for who listens to it.
    assert page.locator("[aria-live] [data-chrono], [role=status] [data-chrono]").count() == 0
    page.goto(f"/incidents/{incident}")
    care = page.locator(".care .care-clock[data-chrono=up]")
    expect(care).to_have_text(re.compile(r"\d+\sh\s\d\d:\d\d"))
    first = seconds(care)
    page.clock.run_for(3000)
    assert seconds(care) > first
    assert watched.complaints == []


@pytest.mark.parametrize("how", ["no_script", "reduced_motion"])
def test_it_is_right_without_script_and_still_where_motion_is_not_wanted(
    served: Running, chromium: Browser, how: str
) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, "fr-FR")
    set_up(served, watched)
    incident = declared(served)
    other = _signed_in(chromium, served, watched, how)
    page = other.new_page()
    page.goto(f"/incidents/{incident}/obligations")
    clock = page.locator("[data-chrono=down]").first
    expect(clock).to_have_text(re.compile(r"^reste\s(71\sh\s59|72\sh\s00)$"))
    if how == "reduced_motion":
        assert violations(page, page.url) == []
    other.close()


def _signed_in(chromium: Browser, served: Running, watched: Watched, how: str) -> BrowserContext:
    """The same person, in a browser of another kind."""
    kind = {"java_script_enabled": False} if how == "no_script" else {"reduced_motion": "reduce"}
    context = chromium.new_context(locale="fr-FR", base_url=served.url, **kind)
    context.add_cookies(watched.page.context.cookies())
    return context


def test_the_call_of_a_reminder_leads_to_its_clock(served: Running, browser: httpx.Client) -> None:
    sign_in(served, browser)
    incident = declared(served)
    (structure,) = served.store.structures()
    later = served.context.clock.now() + dt.timedelta(hours=2)
    assert remind_some(served.store, structure.id, LAW, later) > 0
    with served.store.unit(structure.id, writes=False) as unit:
        (call,) = (r for r in unit.help_requests() if r.clocks)
    for language, source, name in (
        ("fr", "horloge légale", "Inscrire au registre"),
        ("en", "legal clock", "Enter it in the breach register"),
    ):
        said = html.unescape(browser.get(f"/help/{call.id}?lang={language}").text)
        assert source in said
        assert f'href="/incidents/{incident}/obligations"' in said
        assert name in said
        assert source in html.unescape(browser.get(f"/desk?lang={language}").text)
