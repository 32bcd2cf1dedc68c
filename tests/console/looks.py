"""How heavy a page is."""

from playwright.sync_api import Page, Response

MOST_BYTES = 200_000


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
