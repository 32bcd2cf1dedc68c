"""A live page is sent a picture when it shows another one: not what came with it, not a clock's next second."""

import re

import httpx
from markupsafe import Markup

from releve.apps.console.web import mark_of
from releve.flow.server.ingest import take
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
