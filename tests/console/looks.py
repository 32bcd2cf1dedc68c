"""What every page is held to: axe finds nothing, it is light, and no script keeps a slow phone busy."""

import json

from playwright.sync_api import Page, Response

MOST_BYTES = 200_000
MOST_MS = 50.0
SLOWER = 6
TRIES = 10  # what else runs on the machine only ever lengthens a task: the shortest try counts
_SCRIPT = frozenset(
    {"EvaluateScript", "FunctionCall", "EventDispatch", "TimerFire", "FireAnimationFrame"}
)


class Scales:
    """Weighs what a page asks for: the bytes of every answer, as sent, headers left out."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._bodies: list[Response] = []
        page.on("response", self._keep)

    def _keep(self, response: Response) -> None:
        self._bodies.append(response)

    def weigh(self, at: str) -> int:
        """Loads the page anew, and answers the bytes of all that came with it."""
        self._page.goto("about:blank")
        self._bodies.clear()
        self._page.goto(at)
        kept = [
            r for r in self._bodies if "text/event-stream" not in r.headers.get("content-type", "")
        ]
        return sum(len(r.body()) for r in kept if r.status == 200)


def slow_scripts(page: Page, at: str) -> list[str]:
    """Scripts of a page that kept a processor six times slower busy for too long; with the time."""
    tries = []
    for _ in range(TRIES):
        tries.append(_scripts(page, at))
        if min(tries)[0] <= MOST_MS:
            return []
    longest, what = min(tries)
    return [f"{at}: {longest:.0f} ms: {what}"]


def _scripts(page: Page, at: str) -> tuple[float, str]:
    """The longest script while the page loads: time of its own thread, times `SLOWER`.

    Chromium's own throttling spins by the wall clock, and so counts what else runs on the machine.
    """
    context, browser = page.context, page.context.browser
    assert browser is not None
    fresh = context.new_page()
    browser.start_tracing(page=fresh, categories=["devtools.timeline"])
    fresh.goto(page.evaluate("location.origin") + at)
    fresh.wait_for_timeout(300)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    fresh.close()
    ran = [e for e in events if e["name"] in _SCRIPT and "tdur" in e]
    assert any(e["name"] == "ParseHTML" for e in events), "nothing was traced"
    return max(((SLOWER * e["tdur"] / 1000, _name(e)) for e in ran), default=(0.0, ""))


def _name(event: dict[str, object]) -> str:
    return f"{event['name']} {event.get('args')}"[:200]
