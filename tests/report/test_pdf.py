"""On paper: promises are one page, nothing is fetched, a missing library says so."""

import subprocess
import sys
from pathlib import Path

import pytest

from releve.adapters.pdf import PdfMissingError, PdfTooLongError, pdf
from releve.apps.simulate.report import write_report
from releve.report.incident import incident_html
from tests.report import incidents, simulations
from tests.report.test_incident_report import PLACE

pytestmark = pytest.mark.need("poppler")

TITLES = {
    "fr": "Nos promesses, et ce qui a été mesuré ici",
    "en": "Our promises, and what was measured here",
}
LAST = {"fr": "Source des promesses", "en": "Source of the promises"}
NEXT = {"fr": "Ce qui n’a pas été montré", "en": "What was not shown"}


def pages(path: Path) -> list[str]:
    told = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True)
    return told.stdout.decode().split("\f")[:-1]


def info(path: Path) -> str:
    return subprocess.run(
        ["pdfinfo", "-l", "99", path], capture_output=True, check=True
    ).stdout.decode()


@pytest.mark.parametrize(
    ("name", "lang"), [("held", "fr"), ("lossy", "fr"), ("lossy", "en"), ("empty", "en")]
)
def test_promises_are_exactly_one_page(tmp_path: Path, name: str, lang: str) -> None:
    html, printed = write_report(getattr(simulations, name)(), tmp_path, lang=lang)
    assert html.is_file()
    assert printed is not None
    told = pages(printed)
    (page,) = [number for number, text in enumerate(told) if TITLES[lang] in text]
    assert LAST[lang] in told[page]
    assert NEXT[lang] in told[page + 1]
    assert [LAST[lang] in text for text in told].count(True) == 1


def test_promises_are_one_page_with_the_widest_font_and_the_fullest_figures(tmp_path: Path) -> None:
    write_report(simulations.lossy(), tmp_path)
    html = (tmp_path / "rapport-simulation.html").read_text()
    for narrow in ('"Source Sans 3", ', '"Helvetica Neue", ', "Arial, ", '"Liberation Sans", '):
        html = html.replace(narrow, "")
    path = tmp_path / "wide.pdf"
    path.write_bytes(pdf(html.replace("sans-serif", '"DejaVu Sans"'), one_page="promesses"))
    told = pages(path)
    (page,) = [number for number, text in enumerate(told) if TITLES["fr"] in text]
    assert LAST["fr"] in told[page]


def test_the_result_is_one_page_even_when_much_failed(tmp_path: Path) -> None:
    for number, simulation in enumerate((simulations.lossy(), simulations.dreadful())):
        _, printed = write_report(simulation, tmp_path / str(number))
        assert printed is not None
        first, second = pages(printed)[:2]
        assert "comptés à part." in " ".join(first.split())
        assert "Chaque attaque, de la première écriture" in " ".join(second.split())


def test_a_section_that_fits_at_no_readable_size_is_refused() -> None:
    lines = "<p>x</p>" * 400
    html = f"<section class='one_page' id='s'>{lines}<div id='s-end'></div></section>"
    with pytest.raises(PdfTooLongError):
        pdf(html, one_page="s")


def test_the_pdf_is_tagged_and_printing_warns_of_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, printed = write_report(simulations.held(), tmp_path)
    assert printed is not None
    told = info(printed)
    assert "Tagged:          yes" in told
    assert not caplog.records
    assert "Rapport de simulation" in told
    assert "595.276 x 841.89 pts (A4)" in told  # A4, and the page of promises lies across
    assert "841.89 x 595.276 pts (A4)" in told


def test_the_incident_report_prints_too(tmp_path: Path) -> None:
    path = tmp_path / "incident.pdf"
    path.write_bytes(pdf(incident_html(incidents.incident(), PLACE, "fr")))
    assert "une attaque a été arrêtée" in " ".join(" ".join(pages(path)).split())


def test_nothing_is_fetched_while_printing() -> None:
    with_image = "<img src='http://127.0.0.1:9/a.png'><img src='file:///etc/hostname'><p>seul</p>"
    assert pdf(with_image).startswith(b"%PDF")


def test_without_weasyprint_the_html_is_written_and_the_pdf_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)  # importing it now fails, as if absent
    html, printed = write_report(simulations.held(), tmp_path)
    assert html.is_file()
    assert printed is None
    with pytest.raises(PdfMissingError) as missing:
        pdf("<p>a</p>")
    assert "releve[server]" in missing.value.remedy


def test_a_report_replaces_the_one_before_at_once(tmp_path: Path) -> None:
    older = tmp_path / "rapport-simulation.html"
    older.write_text("an older one")
    html, _ = write_report(simulations.held(), tmp_path)
    assert html == older
    assert "38\u00a0attaques" in html.read_text()
    assert not list(tmp_path.glob("*.part"))
