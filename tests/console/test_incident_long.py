"""A long incident: its head answers at once, its sections are near, its lists fold and lose nothing."""

import datetime as dt

import pytest
from playwright.sync_api import Browser, Page, expect

from releve.flow.server import casework
from releve.flow.server.ingest import take
from releve.model.casework import CaseTask, Evidence
from tests.console.test_accessible import busy, follow, violations
from tests.console.test_browser import Watched, set_up
from tests.server.world import Running, batch, stopped

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

STOPS, TASKS, PIECES = 12, 9, 5


def long_case(served: Running) -> str:
    case = busy(served)
    follow(served, case)
    structure, now = served.store.structures()[0].id, served.context.clock.now()
    with served.store.unit(structure, writes=False) as unit:
        known = unit.incident(case)
    assert known is not None
    stops = [stopped(f"more{n}", now) for n in range(STOPS)]
    take(served.store, structure, known.host, batch(*stops, spool="long"), now)
    with served.store.unit(structure) as unit:
        for n in range(TASKS):
            task = CaseTask(id=f"x{n}", incident=case, title=f"Tâche {n}", made_at=now, made_by="c")
            assert casework.add_task(unit, task)
        for n in range(PIECES):
            piece = Evidence(
                id=f"p{n}", incident=case, at=now + dt.timedelta(seconds=n), by="c",
                name=f"Pièce {n}", sha256="b" * 64, size=3, kept="coffre",
            )  # fmt: skip
            assert casework.add_record(unit, piece)
    return case


def opened(served: Running, chromium: Browser, locale: str) -> tuple[Watched, str]:
    served.home.make_setup_code()
    seen = Watched(chromium, served, locale)
    set_up(served, seen)
    case = long_case(served)
    seen.page.goto(f"/incidents/{case}")
    return seen, case


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_the_head_says_what_happened_what_to_do_and_the_clock(
    served: Running, chromium: Browser, locale: str
) -> None:
    seen, case = opened(served, chromium, locale)
    page = seen.page
    page.set_viewport_size({"width": 1280, "height": 844})
    for title in ("happened", "next", "clock"):
        expect(page.locator(f"#{title}")).to_be_in_viewport()
    expect(page.locator("#case-head .next-step")).to_be_in_viewport()
    expect(page.locator("#case-head .care-clock[data-chrono]")).to_be_in_viewport()
    assert violations(page, f"/incidents/{case}") == []
    assert seen.complaints == []


@pytest.mark.parametrize("width", [390, 1280])
def test_every_section_is_reached_by_key_and_is_not_hidden_under_what_leads_to_it(
    served: Running, chromium: Browser, width: int
) -> None:
    seen, _ = opened(served, chromium, "fr-FR")
    page = seen.page
    page.set_viewport_size({"width": width, "height": 844})
    links = page.locator("nav.sections a")
    assert links.count() >= 8
    for place in range(links.count()):
        link = links.nth(place)
        target = (link.get_attribute("href") or "").removeprefix("#")
        link.focus()
        page.keyboard.press("Enter")
        title = page.locator(f"#{target}")
        expect(title).to_be_in_viewport()
        nav, there = page.locator("nav.sections").bounding_box(), title.bounding_box()
        assert nav is not None
        assert there is not None
        assert there["y"] >= nav["y"] + nav["height"], target
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def shown(page: Page, selector: str) -> int:
    """How many of them take room on the page."""
    return int(page.locator(selector).evaluate_all(
        "all => all.filter(e => e.checkVisibility({contentVisibilityAuto: true})).length"
    ))  # fmt: skip


def test_long_lists_are_folded_with_their_count_and_printed_whole(
    served: Running, chromium: Browser
) -> None:
    seen, _ = opened(served, chromium, "fr-FR")
    page = seen.page
    page.context.set_offline(True)  # who is rung meanwhile would add lines between two looks
    page.wait_for_timeout(300)
    lists = {
        "#stops article": (3, STOPS + 3),
        "#timeline .timeline li": (12, page.locator("#timeline .timeline li").count()),
        "#tasks .rows > li": (6, TASKS + 1),
        "#evidence article": (3, PIECES + 1),
    }
    for selector, (few, whole) in lists.items():
        assert page.locator(selector).count() == whole, selector
        assert shown(page, selector) == few, selector
        section = selector.partition(" ")[0]
        told = page.locator(f"{section} details.rest > summary")
        expect(told).to_contain_text(str(whole - few))
        expect(page.locator(f"{section} h2 .count")).to_have_text(str(whole))
    page.locator("#tasks details.rest > summary").focus()
    page.keyboard.press("Enter")
    assert shown(page, "#tasks .rows > li") == TASKS + 1
    page.emulate_media(media="print")
    for selector, (_, whole) in lists.items():
        assert shown(page, selector) == whole, selector
    assert shown(page, ".steps > li") == page.locator(".steps > li").count() > 20
    assert shown(page, "nav.sections") == shown(page, ".more form") == 0


def test_steps_keep_their_numbers_when_those_that_are_done_fold(
    served: Running, chromium: Browser
) -> None:
    seen, _ = opened(served, chromium, "fr-FR")
    seen.page.click("#case-head form[action*='/playbooks/'] button.strong")  # the third is done
    expect(seen.page.locator("#playbooks details.rest > summary").first).to_contain_text("3")
    steps = seen.page.locator("#playbooks .steps > li")
    numbers = [int(n) for n in steps.evaluate_all("all => all.map(e => e.value)")]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert len(numbers) > 20
