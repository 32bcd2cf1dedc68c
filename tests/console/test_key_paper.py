"""A host's card says whether the recovery key on paper was tried."""

import httpx
import pytest

from releve.model.event import PaperKeyTold
from tests.console.test_pages import sign_in
from tests.server.test_key_paper import tell
from tests.server.world import T0, Running, add_host


@pytest.mark.parametrize(
    ("told", "french", "english"),
    [
        (PaperKeyTold(seen_at=T0), "pas encore faite", "not made yet"),
        (PaperKeyTold(seen_at=T0, made_at=T0), "jamais essayée", "never tried"),
        (PaperKeyTold(seen_at=T0, made_at=T0, tried_at=T0), "essayée le", "tried on"),
    ],
)
def test_the_page_of_the_hosts_says_it(
    served: Running, browser: httpx.Client, told: PaperKeyTold, french: str, english: str
) -> None:
    sign_in(served, browser)
    host = add_host(served.store, "srv")
    assert "Feuille de clé" not in browser.get("/").text, "no word of it was told"
    tell(served.store, host, 1, told)
    text = browser.get("/").text
    assert "<dt>Feuille de clé</dt>" in text
    assert french in text.partition("<dt>Feuille de clé</dt>")[2][:120]
    text = browser.get("/?lang=en").text
    assert english in text.partition("<dt>Recovery key on paper</dt>")[2][:120]
