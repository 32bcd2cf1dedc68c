"""A change made through the API, until it is drawn on the open situation page of a real Chromium."""

import json
import statistics
import time

import msgspec
from console_ground import session
from console_scripts import TRACED, of_trace
from playwright.sync_api import Browser, Page, sync_playwright

from releve.model.tool import Scope
from tests.server.api_world import tool
from tests.server.world import EnrolledHost, Running

_LATEST_MS = 20_000
_SETTLED_MS = 1500
_DRAWN = """id => new Promise(drawn => {
  const row = () => document.querySelector(`#s-${id} .bad-text`);
  const look = () => row() ? drawn(true) : requestAnimationFrame(look);
  look();
})"""


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds`: from the API's request to the row on the screen. `task_ms`: as in console_scripts."""

    seconds: tuple[float, ...]
    task_ms: float


def drawn(served: Running, hosts: list[EnrolledHost]) -> Drawn:
    """A call for help of one structure after the other; the page is never loaded again."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        try:
            page = _opened(served, browser)
            seconds, tasks = [], []
            for one in hosts:
                browser.start_tracing(page=page, categories=TRACED)
                seconds.append(_until_drawn(served, page, one))
                page.wait_for_timeout(200)  # what else the same picture brings
                tasks.append(_task(browser.stop_tracing()))
            assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
            assert page.evaluate("window.stayed") == "yes", "the page was loaded again"
        finally:
            browser.close()
    return Drawn(seconds=tuple(seconds), task_ms=statistics.median(tasks))


def _opened(served: Running, browser: Browser) -> Page:
    context = browser.new_context(locale="fr-FR", base_url=served.url)
    context.add_cookies([{"name": "releve", "value": session(served), "url": served.url}])
    page = context.new_page()
    page.set_default_timeout(_LATEST_MS)
    page.goto("/situation")
    page.evaluate("window.stayed = 'yes'")
    page.wait_for_timeout(_SETTLED_MS)
    return page


def _until_drawn(served: Running, page: Page, one: EnrolledHost) -> float:
    asking = tool(served, one.structure, scopes=(Scope.HELP_WRITE,))
    assert page.locator(f"#s-{one.structure} .bad-text").count() == 0
    begun = time.perf_counter()
    answer = asking.post("/help", {"text": "L'imprimante fume.", "is_blocked": True})
    assert answer.status_code == 201, answer.text
    assert page.evaluate(_DRAWN, one.structure)
    return time.perf_counter() - begun


def _task(trace: bytes) -> float:
    events = json.loads(trace)["traceEvents"]
    return of_trace("/situation", [event for event in events if event.get("ph") == "X"]).ms
