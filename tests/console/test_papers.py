"""The page of the GDPR papers: who sees it, and that each paper is the structure's own."""

import shutil
import subprocess

import pytest

from releve.model.access import Role
from tests.server.test_access import browser
from tests.server.test_structures_apart import fill
from tests.server.world import Running

NAMES = ("registre", "article-28", "conservation", "personnel", "analyse-impact")


def text_of(pdf: bytes) -> str:
    assert pdf.startswith(b"%PDF")
    program = shutil.which("pdftotext")
    assert program, "install poppler-utils"
    done = subprocess.run([program, "-", "-"], input=pdf, capture_output=True, check=True)
    return " ".join(done.stdout.decode().split())


@pytest.mark.parametrize("role", [Role.LEAD, Role.DPO, Role.OPERATOR])
def test_those_who_answer_for_them_reach_every_paper_of_their_structure(
    served: Running, role: Role
) -> None:
    fill(served.store, "A")
    one = browser(served, role)
    one.headers["accept-language"] = "fr"
    for start in ("/obligations", "/settings"):
        assert 'href="/papers"' in one.get(start).text
    page = one.get("/papers?operator=Lac+%3Cb%3E+%26+fils").text
    assert "Lac &lt;b&gt; &amp; fils" in page
    for name in NAMES:
        assert f'href="/papers/{name}/fr.pdf?operator=Lac%20%3Cb%3E%20%26%20fils"' in page
    assert "à remettre au personnel" in page


def test_a_paper_is_filled_in_and_its_english_text_says_that_the_french_one_counts(
    served: Running,
) -> None:
    fill(served.store, "A")
    lead = browser(served, Role.LEAD)
    answer = lead.get("/papers/article-28/fr.pdf", params={"operator": "Infogérance du Lac"})
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith("inline; ")
    french = text_of(answer.content)
    assert "Infogérance du Lac (le sous-traitant)" in french
    english = text_of(lead.get("/papers/article-28/en.pdf").content)
    assert "Only the French version counts" in english
    assert "[TO BE FILLED IN] (the processor)" in english
    for wrong in ("nothing/fr.pdf", "registre/de.pdf", "registre/fr.html", "registre/fr"):
        assert lead.get(f"/papers/{wrong}").status_code == 404


def test_staff_does_not_see_them(served: Running) -> None:
    fill(served.store, "A")
    staff = browser(served, Role.STAFF)
    assert staff.get("/papers").status_code == 403
    assert staff.get("/papers/registre/fr.pdf").status_code == 403
    assert "/papers" not in staff.get("/").text
