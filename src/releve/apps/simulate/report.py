"""Writes the report of a simulation: HTML always, PDF where its libraries are."""

from pathlib import Path

from releve.adapters import content
from releve.adapters.pdf import PdfMissingError, pdf
from releve.model.proof import Simulation
from releve.report.simulation import simulation_html
from releve.report.text import Lang

PROMISES = "promesses"  # the section that must be one page
NAMES: dict[Lang, str] = {"fr": "rapport-simulation", "en": "simulation-report"}


def write_report(
    simulation: Simulation, folder: Path, *, lang: Lang = "fr"
) -> tuple[Path, Path | None]:
    """Writes both files into `folder` (made if missing) and returns where; no PDF is None.

    Each file replaces the one before it at once, so a reader never sees half of one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    html = simulation_html(simulation, content.promises(), content.glossary(), lang)
    page = _replace(folder / f"{NAMES[lang]}.html", html.encode())
    try:
        printed = pdf(html, one_page=PROMISES)
    except PdfMissingError:
        return page, None
    return page, _replace(folder / f"{NAMES[lang]}.pdf", printed)


def _replace(path: Path, content_bytes: bytes) -> Path:
    beside = path.with_suffix(path.suffix + ".part")
    beside.write_bytes(content_bytes)
    beside.replace(path)
    return path
