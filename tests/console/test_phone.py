"""On a phone, 390 px wide: no page is pushed aside, no table is wider than what holds it."""

import datetime as dt
import re

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from releve.apps.console.verbs import OPEN, VERBS
from releve.flow.server import circles, situations, sums
from releve.model.access import Role
from releve.model.posture import Posture
from tests.console.test_accessible import busy, follow, watched
from tests.console.test_browser import Watched, set_up
from tests.console.test_light import addresses
from tests.console.test_settings_pages import compared, insurer
from tests.server.test_access import browser
from tests.server.world import Running, add_host

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

WIDTH = 390
# Seen by somebody who is not signed in, or once only; the reports are no pages of the console.
ONCE = ("/setup", "/enrol", "/login", "/static/", "/up")
WIDE = """
() => {
  document.querySelectorAll('details').forEach(d => d.open = true);
  const found = [];
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) found.push(`page ${page.scrollWidth}`);
  for (const table of document.querySelectorAll('table')) {
    const held = table.parentElement;
    if (table.scrollWidth > held.clientWidth + 1 || table.getBoundingClientRect().right > innerWidth)
      found.push(`table ${table.scrollWidth} in ${held.clientWidth}`);
    for (const cell of table.querySelectorAll('td, th'))
      if (cell.scrollWidth > cell.clientWidth + 1 && cell.checkVisibility()) found.push(`cell ${cell.textContent}`);
  }
  for (const held of document.querySelectorAll('.scroll'))
    if (held.scrollWidth > held.clientWidth) found.push(`aside ${held.scrollWidth} in ${held.clientWidth}`);
  return found;
}
"""


# What can be tapped lies under no button that stays in its place, wherever page and header are pushed.
UNDER = """
() => {
  const taps = 'a, button, input, select, textarea, summary, label';
  const pinned = [...document.querySelectorAll(taps)].filter(
    e => e.matches('.help-link') || ['fixed', 'sticky'].includes(getComputedStyle(e).position));
  const found = new Set();
  const look = where => pinned.forEach(pin => {
    const box = pin.getBoundingClientRect();
    for (let i = 1; i < 10; i++) for (let j = 1; j < 10; j++)
      for (const e of document.elementsFromPoint(box.left + box.width * i / 10, box.top + box.height * j / 10)) {
        const tap = e.closest(taps);
        if (tap && tap !== pin) found.add(`${where}: ${tap.textContent.trim()} under ${pin.textContent.trim()}`);
      }
  });
  const held = [...document.querySelectorAll('.top nav, .top nav *')].filter(e => e.scrollWidth > e.clientWidth);
  for (const end of [0, 1]) {
    scrollTo(0, end * document.documentElement.scrollHeight);
    for (const aside of [0, 1]) {
      held.forEach(e => { e.scrollLeft = aside * e.scrollWidth; });
      look(`${end ? 'bottom' : 'top'}, ${aside ? 'right' : 'left'}`);
    }
  }
  scrollTo(0, 0);
  for (const link of document.querySelectorAll('.top a')) {
    link.scrollIntoView({block: 'nearest', inline: 'nearest'});
    const box = link.getBoundingClientRect();
    for (const share of [0.1, 0.5, 0.9]) {
      const hit = document.elementFromPoint(box.left + box.width * share, box.top + box.height / 2);
      if (!hit || hit.closest('a') !== link) found.add(`out of reach: ${link.textContent.trim()}`);
    }
  }
  return [...found];
}
"""


def under(page: Page) -> list[str]:
    """On the page that is open, on the narrower phone too."""
    found = []
    for width in (360, WIDTH):
        page.set_viewport_size({"width": width, "height": 844})
        found += [f"{page.url}, {width} px: {what}" for what in page.evaluate(UNDER)]
    return found


def too_wide(page: Page, at: str) -> list[str]:
    page.goto(at)
    return [f"{at}: {what}" for what in page.evaluate(WIDE)]


def every_table(served: Running, page: Page) -> tuple[str, ...]:
    """A structure whose pages show all they can; the addresses of its pages."""
    case = busy(served)
    follow(served, case)
    watched(served)
    store, now = served.store, served.context.clock.now()
    with store.unit(store.structures()[0].id) as unit:
        for days in range(12):
            day = now.date() - dt.timedelta(days=days)
            unit.put_posture(Posture(day=day, hosts=2, guarded=1, watching=1, down=days % 2,
                                     incidents=1, backup_hours=3, drill_days=days))  # fmt: skip
    page.goto(f"/incidents/{case}/obligations")
    page.click("main form.fields button.strong")
    page.wait_for_selector("#dossiers-title")
    links = page.locator("a[href*='/dossiers/']").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    assert links
    rest = (
        "/posture",
        "/settings",
        "/papers",
        "/tools",
        "/help/file",
        "/account/phone",
        "/nothing",
    )
    return (*addresses(case), *rest, f"/incidents/{case}?skip=3", *sorted(set(links)))


# How far the link of the page one is on stands out of the menu that holds it, in pixels; None: there is none.
OUTSIDE = """
() => {
  const held = document.querySelector('nav .pages').getBoundingClientRect();
  const here = document.querySelector('nav .pages [aria-current]');
  if (!here) return null;
  const box = here.getBoundingClientRect();
  return Math.max(held.left - box.left, box.right - held.right, 0);
}
"""


# Two frames: what the menu does, it does once the page is laid out.
DRAWN = "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
MORE = """() => {
  const menu = document.querySelector('nav .pages');
  const said = side => getComputedStyle(menu, side).content.replaceAll('"', '');
  return [said('::before'), said('::after')];
}"""


def test_the_menu_says_on_which_side_there_is_more_of_it(
    served: Running, chromium: Browser
) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, "fr-FR")
    set_up(served, seen)
    page = seen.page
    page.set_viewport_size({"width": WIDTH, "height": 800})
    page.goto("/incidents")
    page.evaluate(DRAWN)
    assert page.evaluate(MORE)[1] == "›"
    page.evaluate("document.querySelector('nav .pages').scrollLeft = 1e6")
    expect(page.locator("nav .pages.more-before:not(.more-after)")).to_be_attached()
    assert page.evaluate(MORE) == ["‹", "none"]
    page.set_viewport_size({"width": 1280, "height": 800})
    page.reload()
    page.evaluate(DRAWN)
    assert page.evaluate(MORE) == ["none", "none"]


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_the_menu_shows_the_page_one_is_on(served: Running, chromium: Browser, locale: str) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, locale)
    page = seen.page
    set_up(served, seen)
    for at in ("/", "/incidents", "/playbooks", "/statements", "/health", "/people", "/settings"):
        page.goto(at)
        page.evaluate(DRAWN)
        assert page.evaluate(OUTSIDE) < 1, at
        assert page.evaluate("scrollY") == 0, at
    assert seen.complaints == []


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_no_page_and_no_table_is_wider_than_a_phone(
    served: Running, chromium: Browser, locale: str
) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, locale)
    found = too_wide(seen.page, "/setup")
    set_up(served, seen)
    pages = every_table(served, seen.page)
    tables, helpless = 0, []
    for at in pages:
        found += too_wide(seen.page, at)
        found += under(seen.page)
        helpless += [] if seen.page.locator(".help-link").count() else [at]
        tables += seen.page.locator("table").count()
    assert tables >= 10
    assert set(helpless) == {"/a/code0", "/situation/wall", "/nothing"}
    outside = chromium.new_context(
        locale=locale, base_url=served.url, viewport={"width": WIDTH, "height": 844}
    )
    for at in ("/login", "/login/break-glass", "/a/over"):
        found += too_wide(outside.new_page(), at)
    outside.close()
    assert found == []
    if locale == "fr-FR":
        assert unwalked(pages) == []


def unwalked(pages: tuple[str, ...]) -> list[str]:
    """Pages of the console that the walk does not know: what they are of is walked below."""
    left = []
    for route in (*VERBS, *OPEN):
        method, _, path = route.partition(" ")
        is_page = method == "GET" and not path.endswith(("/live", "{file:str}", ".pdf"))
        if not is_page or path.startswith(ONCE) or path in ("/group", "/insurer"):
            continue
        pattern = re.compile(re.sub(r"\{\w+:str\}", "[^/]+", path))
        if not any(pattern.fullmatch(at.partition("?")[0]) for at in pages):
            left.append(path)
    return left


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_the_tables_of_a_group_and_of_an_insurer_fit_too(
    served: Running, chromium: Browser, locale: str
) -> None:
    group, ines = compared(served), of_insurer(served)
    found = []
    for client, at in ((group, "/group"), (ines, "/insurer")):
        context = chromium.new_context(
            locale=locale, base_url=served.url, viewport={"width": WIDTH, "height": 844}
        )
        context.add_cookies(
            [{"name": "releve", "value": client.cookies["releve"], "url": served.url}]
        )
        page = context.new_page()
        found += too_wide(page, at)
        assert page.locator("table").count() == 1, at
        context.close()
    assert found == []


def of_insurer(served: Running) -> httpx.Client:
    """Of one with enough structures for figures."""
    store, now, beta = served.store, served.context.clock.now(), insurer(served)
    for number in range(5):
        host = add_host(store, f"poste {number}", f"Cabinet {number}")
        situations.renew(store, host.structure, now)
        with store.unit(host.structure) as unit:
            circles.join(unit, beta, actor="x", now=now)
    sums.release(store, beta.id, now + dt.timedelta(days=7))
    return browser(served, Role.INSURER, "Beta")


def test_the_measure_finds_what_is_too_wide(served: Running, chromium: Browser) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, "fr-FR")
    set_up(served, seen)
    page = seen.page
    page.goto("/health")
    assert page.evaluate(WIDE) == []
    page.evaluate("document.querySelector('table').style.minWidth = '40rem'")
    assert any(what.startswith("table 640") for what in page.evaluate(WIDE))
    page.evaluate("document.querySelector('main').style.width = '500px'")
    assert any(what.startswith("page 5") for what in page.evaluate(WIDE))


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_the_measure_finds_what_lies_under_the_button_of_help(
    served: Running, chromium: Browser, locale: str
) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, locale)
    set_up(served, seen)
    seen.page.goto("/health")
    assert under(seen.page) == []
    over = "document.querySelector('.help-link').style"
    seen.page.evaluate(f"{over}.position = 'relative'; {over}.left = '-3rem'")
    assert any("left: " in what and " under " in what for what in under(seen.page))
    seen.page.evaluate(
        f"{over}.position = 'fixed'; {over}.inset = 'auto 0 0 0'; {over}.height = '4rem'"
    )
    seen.page.evaluate(
        "document.querySelector('.foot').innerHTML = `<a href=/>${'fin '.repeat(200)}</a>`"
    )
    assert any("bottom, left: fin" in what for what in under(seen.page))


def test_a_row_says_of_each_value_what_it_is(served: Running, chromium: Browser) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, "fr-FR")
    set_up(served, seen)
    bare: dict[str, list[str]] = {}
    for at in every_table(served, seen.page):
        seen.page.goto(at)
        cells = seen.page.locator("tbody td:not([data-label])").all_inner_texts()
        told = [text for text in cells if text.strip() not in ("", "—")]
        bare |= {at: told} if told else {}
    assert bare == {}, msgspec.json.encode(bare)
