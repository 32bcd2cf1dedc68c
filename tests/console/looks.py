"""What every page is held to: axe finds nothing, it is light, and no script keeps a slow phone busy."""

from playwright.sync_api import Page, Response

MOST_BYTES = 200_000
MOST_MS = 50.0
SLOWER = 6
# Frames that took long say which scripts ran in them, and for how long each.
_WATCH = """
window.slowScripts = [];
window.framesSeen = PerformanceObserver.supportedEntryTypes.includes('long-animation-frame');
new PerformanceObserver(list => {
  for (const frame of list.getEntries())
    for (const script of frame.scripts)
      window.slowScripts.push([script.duration, script.sourceURL + ' ' + script.invoker]);
}).observe({type: 'long-animation-frame', buffered: true});
"""


class Scales:
    """Weighs what a page asks for: the bytes of every answer, as sent, headers left out."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._bodies: list[Response] = []
        page.on("response", self._bodies.append)

    def weigh(self, at: str) -> int:
        """Loads the page anew, and answers the bytes of all that came with it."""
        self._bodies.clear()
        self._page.goto(at)
        kept = [
            r for r in self._bodies if "text/event-stream" not in r.headers.get("content-type", "")
        ]
        return sum(len(r.body()) for r in kept if r.status < 300)


def slow_scripts(page: Page, at: str) -> list[str]:
    """Scripts of a page that ran longer than allowed on a machine six times slower; with the time."""
    context = page.context
    fresh = context.new_page()
    fresh.add_init_script(_WATCH)
    session = context.new_cdp_session(fresh)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    fresh.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + at)
    fresh.wait_for_timeout(700)
    assert fresh.evaluate("window.framesSeen"), "this browser does not tell of long frames"
    found = fresh.evaluate("window.slowScripts")
    fresh.close()
    return [f"{at}: {ms:.0f} ms: {what}" for ms, what in found if ms > MOST_MS]
