"""The page of service statements: made, taken away, checked; axe in a real Chromium."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, expect

from releve.apps.console.statement_files import KIND
from releve.flow.sealed import is_document, open_
from tests.console.test_accessible import violations
from tests.console.test_browser import Watched, set_up
from tests.console.test_pages import sign_in
from tests.server.world import Running, add_host


def test_a_statement_is_made_and_its_files_fit_each_other(
    served: Running, browser: httpx.Client
) -> None:
    add_host(served.store, "serveur-fichiers")
    sign_in(served, browser)
    page = browser.get("/statements").text
    month = f"{served.context.clock.now():%Y-%m}"
    assert "Pas encore établi" in page
    assert browser.post(f"/statements/{month}", data={"csrf": "wrong"}).status_code == 403
    assert browser.post("/statements/2999-01", data={"csrf": csrf(page)}).status_code == 404
    page = browser.post(f"/statements/{month}", data={"csrf": csrf(page)}).text
    files = re.findall(rf'href="(/statements/{month}/[^"]+)"', page)
    assert len(files) == 5
    signed = next(path for path in files if path.endswith(".json"))
    sealed = open_(KIND, browser.get(signed).content)
    assert sealed.public_key == served.home.public_key().hex()
    for path in set(files) - {signed}:
        assert is_document(sealed, path.rpartition("/")[2], browser.get(path).content)
    assert browser.get(f"/statements/{month}/other.json").status_code == 404


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


@pytest.mark.browser
def test_the_page_in_a_browser(served: Running, chromium: Browser) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, "fr-FR")
    set_up(served, watched)
    watched.page.goto("/statements")
    assert violations(watched.page, "statements") == []
    watched.page.get_by_role("button", name="Établir le relevé").first.click()
    expect(watched.page.get_by_role("button", name="Établir à nouveau")).to_be_visible()
    assert violations(watched.page, "statements, made") == []
    assert watched.complaints == []
