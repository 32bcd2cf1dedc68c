"""How long a page's scripts keep the browser's own thread busy, on a processor six times slower."""

import json
from pathlib import Path
from typing import Any

import msgspec
from playwright.sync_api import Browser, Page, sync_playwright

from tests.console.test_accessible import busy, follow, watched
from tests.console.test_browser import Watched, set_up
from tests.console.test_light import addresses
from tests.server.world import Running, running

SLOWER = 6
_SETTLED_MS = 700  # live pages have drawn their first picture anew by then
_SCRIPTS = frozenset(
    {"EvaluateScript", "FunctionCall", "EventDispatch", "TimerFire", "FireAnimationFrame",
     "RunMicrotasks"}
)  # fmt: skip
TRACED = ["devtools.timeline", "disabled-by-default-devtools.timeline", "v8.execute"]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The longest that scripts ran within one task of a page, and which of them took most of it."""

    page: str
    ms: float
    script: str


def longest_tasks(folder: Path, loads: int) -> list[Task]:
    """Of each page that somebody signed in can open, filled with all that it can show; longest first.

    What else the machine does only lengthens a task: the longest one's page is loaded again until none
    is left above it, or it was loaded `loads` times. The least of its loads counts.
    """
    with running(folder) as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        try:
            page, case = _filled(served, browser)
            least = {at: _longest(page, at) for at in addresses(case)}
            loaded = dict.fromkeys(least, 1)
            while loaded[worst := max(least, key=lambda at: least[at].ms)] < loads:
                again = _longest(page, worst)
                least[worst] = min(least[worst], again, key=lambda task: task.ms)
                loaded[worst] += 1
        finally:
            browser.close()
    return sorted(least.values(), key=lambda task: -task.ms)


def _filled(served: Running, browser: Browser) -> tuple[Page, str]:
    served.home.make_setup_code()
    seen = Watched(browser, served, "fr-FR")
    set_up(served, seen)
    case = busy(served)
    follow(served, case)
    watched(served)
    return seen.page, case


def _longest(page: Page, at: str) -> Task:
    """Time of the thread itself, times `SLOWER`: Chromium's throttling counts what else runs, too."""
    browser = page.context.browser
    assert browser is not None
    origin, fresh = page.evaluate("location.origin"), page.context.new_page()
    browser.start_tracing(page=fresh, categories=TRACED)
    fresh.goto(origin + at)
    fresh.wait_for_timeout(_SETTLED_MS)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    fresh.close()
    return of_trace(at, [event for event in events if event.get("ph") == "X"])


def of_trace(at: str, events: list[dict[str, Any]]) -> Task:
    parsing = {_thread(event) for event in events if event["name"] == "ParseHTML"}
    assert parsing, f"nothing was traced of {at}"
    ours = [event for event in events if _thread(event) in parsing]
    scripts = _outermost([event for event in ours if event["name"] in _SCRIPTS])
    longest = Task(page=at, ms=0.0, script="")
    for task in (event for event in ours if event["name"] == "RunTask"):
        inside = [s for s in scripts if _thread(s) == _thread(task) and _is_in(s, task)]
        ms = sum(_ms(script) for script in inside)
        if ms > longest.ms:
            longest = Task(page=at, ms=ms, script=_named(max(inside, key=_ms)))
    return longest


def _outermost(scripts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that another one called: their time is in its own."""
    kept: list[dict[str, Any]] = []
    for script in sorted(scripts, key=lambda event: (_thread(event), event["ts"], -event["dur"])):
        if not kept or _thread(kept[-1]) != _thread(script) or not _is_in(script, kept[-1]):
            kept.append(script)
    return kept


def _ms(event: dict[str, Any]) -> float:
    return float(SLOWER * event.get("tdur", 0) / 1000)


def _thread(event: dict[str, Any]) -> tuple[int, int]:
    return event["pid"], event["tid"]


def _is_in(event: dict[str, Any], task: dict[str, Any]) -> bool:
    ends = task["ts"] + task["dur"]
    return bool(task["ts"] <= event["ts"] <= ends)


def _named(event: dict[str, Any]) -> str:
    data = event.get("args", {}).get("data", {})
    where = str(data.get("url", "")).rpartition("/")[2]
    parts = (event["name"], where, data.get("functionName", ""), data.get("type", ""))
    return " ".join(part for part in parts if part)
