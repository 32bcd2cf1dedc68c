"""The page of the GDPR papers: who sees it, and that each paper is the structure's own."""

import datetime as dt
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from releve.flow.server import profiles
from releve.model.access import Role
from releve.model.structure import DataSetEntry, Profile, StructureKind
from tests.server.test_access import browser
from tests.server.test_structures_apart import fill
from tests.server.world import Running, running

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


def test_the_console_states_the_times_that_this_server_runs_with(tmp_path: Path) -> None:
    """On paper and on the page: who signs it answers for them."""
    ways = ((dt.timedelta(days=30), "30 jours", "30 days"), (None, "sans limite", "without limit"))
    for keep, french, english in ways:
        with running(tmp_path / french, keep=keep, jobs=False) as served:
            fill(served.store, "A")
            lead = browser(served, Role.LEAD)
            for lang, said in (("fr", french), ("en", english)):
                paper = text_of(lead.get(f"/papers/conservation/{lang}.pdf").content)
                assert said in paper
                assert "400" not in paper
            lead.headers["accept-language"] = "fr"
            assert french in lead.get("/settings").text.replace("\u00a0", " ")


def test_what_a_structure_told_stands_in_the_paper_in_its_language(served: Running) -> None:
    host = fill(served.store, "A")
    data_map = (DataSetEntry(name="dossiers", persons={"patients": 1200}),)
    profile = Profile(kind=StructureKind.PRACTICE, legal_name="SELARL", data_map=data_map)
    now = served.context.clock.now()
    profiles.put(served.store, host.structure, profile, actor="a", now=now)
    lead = browser(served, Role.LEAD)
    papers = [text_of(lead.get(f"/papers/registre/{lang}.pdf").content) for lang in ("fr", "en")]
    assert "patients (environ 1 200)" in re.sub(r"\s", " ", papers[0])
    assert "patients (about 1,200)" in papers[1]


def test_what_the_operator_is_called_is_no_longer_than_a_line(served: Running) -> None:
    fill(served.store, "A")
    page = browser(served, Role.LEAD).get("/papers", params={"operator": "x" * 5000})
    assert page.text.count("x" * 200) == page.text.count("x" * 20) // 10 == 1 + 2 * len(NAMES)


def test_staff_does_not_see_them(served: Running) -> None:
    fill(served.store, "A")
    staff = browser(served, Role.STAFF)
    assert staff.get("/papers").status_code == 403
    assert staff.get("/papers/registre/fr.pdf").status_code == 403
    assert "/papers" not in staff.get("/").text
