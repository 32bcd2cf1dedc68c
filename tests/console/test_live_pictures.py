"""A live page is sent a picture when it shows another one: not what came with it, not a clock's next second."""

import re

import httpx
import pytest
from markupsafe import Markup
from playwright.sync_api import Browser, expect

from releve.apps.console.pictures import mark_of, news
from releve.flow.server import access, actions, situations
from releve.flow.server.ingest import take
from releve.model.access import Role
from releve.model.order import Isolate
from tests.console.test_accessible import busy, follow
from tests.console.test_browser import Watched, set_up
from tests.console.test_pages import sign_in
from tests.server.world import Running, add_host, batch, stopped

NO_NEWS = ": still here\n\n"


def first(browser: httpx.Client, at: str, shown: str = "") -> str:
    """The first that the line brings, as after a break when `shown` came last on it."""
    headers = {"last-event-id": shown} if shown else {}
    text = ""
    with browser.stream("GET", at, headers=headers) as answer:
        for piece in answer.iter_text():
            text += piece
            if text.endswith("\n\n"):
                return text
    raise AssertionError(text)


def line_of(browser: httpx.Client) -> str:
    found = re.search(r'hx-sse:connect="([^"]+)"', browser.get("/").text)
    assert found is not None
    return found[1]


def test_a_page_gets_a_picture_once_it_shows_another_one(
    served: Running, browser: httpx.Client
) -> None:
    host = add_host(served.store, "h", "Cabinet A")
    sign_in(served, browser)
    line = line_of(browser)
    assert first(browser, line) == NO_NEWS
    known = first(browser, "/live").partition("\n")[0].removeprefix("id: ")
    assert f"seen={known}" in line
    now = served.context.clock.now()
    take(served.store, host.structure, host.id, batch(stopped("famille", now)), now)
    told = first(browser, line)
    assert told.startswith("id: ")
    assert "data: " in told
    fresh = told.partition("\n")[0].removeprefix("id: ")
    assert first(browser, line, fresh) == NO_NEWS  # it came last; the page's own is older
    assert first(browser, line_of(browser), known).startswith("id: ")


def test_a_clock_that_runs_on_by_itself_is_no_news() -> None:
    clock = '<p>{}<span data-chrono="up" data-seconds="{}" data-text="{{time}}">{}</span></p>'
    mark = mark_of(clock.format("Soins", 1, "1,0 s"))
    assert mark_of(clock.format("Soins", 7, "7,2 s")) == mark
    assert mark_of(Markup(f"\n  {clock.format('Soins', 7, '7,2 s')}")) == mark
    assert mark_of(clock.format("Bloc", 1, "1,0 s")) != mark


PICTURE = (
    '<div class="part" id="a"><!--part a-->{}<!--/part--></div>'
    '<p>{}</p><table><tbody id="b"><!--part b-->{}<!--/part--></tbody></table>'
)


def test_only_the_part_that_changed_is_sent() -> None:
    shown = mark_of(PICTURE.format("one", "frame", "<tr></tr>"))
    assert news(PICTURE.format("one", "frame", "<tr></tr>"), shown) == []
    assert news(PICTURE.format("one", "frame", "<tr><td>x</td></tr>"), shown) == [
        '<hx-partial hx-target="#b" hx-swap="innerMorph"><tr><td>x</td></tr></hx-partial>'
    ]
    two = news(PICTURE.format("1", "frame", "2"), shown)
    assert [piece[:26] for piece in two] == [f'<hx-partial hx-target="#{one}"' for one in "ab"]


@pytest.mark.parametrize(
    "shown",
    ["", "0" * 32, mark_of("<p>no part</p>"), mark_of(PICTURE.format("one", "other", "two"))],
)
def test_a_page_of_another_frame_gets_all_of_it(shown: str) -> None:
    picture = PICTURE.format("one", "frame", "two")
    assert news(picture, shown) == [picture]


def test_a_bar_that_grows_with_its_clock_is_no_news() -> None:
    bar = '<svg data-growing class="bar"><rect width="{}"/></svg>'
    assert mark_of(bar.format(1)) == mark_of(bar.format(2))
    still = '<svg class="bar"><rect width="{}"/></svg>'
    assert mark_of(still.format(1)) != mark_of(still.format(2))


def test_what_people_write_is_no_part(served: Running, browser: httpx.Client) -> None:
    name = "<!--part a-->x<!--/part-->"
    add_host(served.store, name, "Cabinet A")
    sign_in(served, browser)
    text = browser.get("/").text
    assert name not in text
    assert "&lt;!--part a--&gt;" in text


@pytest.mark.browser
@pytest.mark.timeout(120)
def test_news_are_drawn_where_they_belong_and_leave_the_rest_alone(
    served: Running, chromium: Browser
) -> None:
    """A fold that somebody opened, a word half written: both stay; no row is there twice."""
    served.home.make_setup_code()
    seen = Watched(chromium, served, "fr-FR")
    page = seen.page
    set_up(served, seen)
    case = busy(served)
    follow(served, case)
    page.goto(f"/incidents/{case}")
    page.locator("#ransom summary").click()
    page.fill("#ransom input[name=decider]", "Dr M")
    page.locator("#recovery summary").click()
    page.evaluate("document.querySelector('#recovery').dataset.kept = 'yes'")
    structure, now = served.store.structures()[0].id, served.context.clock.now()
    with served.store.unit(structure, writes=False) as unit:
        known = unit.incident(case)
    assert known is not None
    take(served.store, structure, known.host, batch(stopped("neuf", now), spool="new"), now)
    served.context.live.touch(structure)
    expect(page.locator("#stops h2 .count")).to_have_text("4")
    expect(page.locator("#case-head")).to_contain_text("Programmes hostiles arrêtés : 2.")
    expect(page.locator("#ransom input[name=decider]")).to_have_value("Dr M")
    expect(page.locator("#recovery details")).to_have_attribute("open", "")
    expect(page.locator("#recovery[data-kept=yes]")).to_have_count(1)
    assert seen.complaints == []


@pytest.mark.browser
@pytest.mark.timeout(120)
def test_a_structure_that_gets_worse_moves_up_and_is_there_once(
    served: Running, chromium: Browser
) -> None:
    served.home.make_setup_code()
    seen = Watched(chromium, served, "fr-FR")
    page = seen.page
    set_up(served, seen)
    store, now = served.store, served.context.clock.now()
    claire = store.person_by_login("claire")
    assert claire is not None
    for number in range(45):  # three parts of rows
        there = add_host(store, "poste", f"Cabinet {number:02}")
        with store.unit(there.structure) as unit:
            access.give(unit, claire, Role.OPERATOR, actor="admin", now=now)
            situations.keep(unit, now)
    page.goto("/situation")
    row = page.locator(f"#s-{there.structure}")
    expect(row).to_have_count(1)
    rows = page.locator("#live tbody tr").count()
    take(store, there.structure, there.id, batch(stopped("f1", now)), now)
    served.context.live.touch(there.structure)
    expect(page.locator("#live tbody tr").first).to_have_id(f"s-{there.structure}")
    expect(row).to_have_count(1)
    assert page.locator("#live tbody tr").count() == rows
    assert seen.complaints == []


@pytest.mark.browser
def test_a_reason_that_is_being_written_stays_with_its_proposal_when_another_comes(
    served: Running, chromium: Browser
) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, "fr-FR")
    page = watched.page
    set_up(served, watched)
    host, now = add_host(served.store, "serveur"), served.context.clock.now()

    def propose(identity: str) -> None:
        with served.store.unit(host.structure) as unit:
            actions.propose(unit, host.id, Isolate(), actor="c", identity=identity, now=now)
        served.context.live.touch(host.structure)

    propose("first")
    page.goto("/")
    asked = page.locator("#ask-first")
    asked.locator("summary").click()
    asked.locator("input[name=why]").fill("elle consulte")
    propose("second")
    expect(page.locator(".ask")).to_have_count(2, timeout=15_000)
    expect(page.locator("#ask-first input[name=why]")).to_have_value("elle consulte")
    expect(page.locator("#ask-second input[name=why]")).to_have_value("")
    expect(page.locator("#ask-second details[open]")).to_have_count(0)
