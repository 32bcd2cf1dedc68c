"""Writes the report of a simulation: HTML always, PDF where its libraries are."""

from pathlib import Path

from releve.adapters import content
from releve.adapters.pdf import PdfMissingError, pdf
from releve.apps.simulate import attacks, honest
from releve.model.proof import Simulation
from releve.report.simulation import Content, simulation_html
from releve.report.text import Lang, Names, Text

PROMISES = "promesses"  # the section that must be one page
FILES: dict[Lang, str] = {"fr": "rapport-simulation", "en": "simulation-report"}


def write_report(
    simulation: Simulation, folder: Path, *, lang: Lang = "fr"
) -> tuple[Path, Path | None]:
    """Writes both files into `folder` (made if missing) and returns where; no PDF is None.

    Each file replaces the one before it at once, so a reader never sees half of one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    said = Content(promises=content.promises(), glossary=content.glossary(), names=names())
    html = simulation_html(simulation, said, lang)
    page = _replace(folder / f"{FILES[lang]}.html", html.encode())
    try:
        printed = pdf(html, one_page=PROMISES)
    except PdfMissingError:
        return page, None
    return page, _replace(folder / f"{FILES[lang]}.pdf", printed)


def names() -> Names:
    """What people call each attack and each honest task, from the rows that run them."""
    return Names(
        attacks={
            row.name: Text(fr=row.title, en=row.title_en)
            for row in (*attacks.PROFILES, *attacks.NETWORK)
        },
        tasks={row.name: Text(fr=row.title, en=row.title_en) for row in honest.WORKLOADS},
    )


def _replace(path: Path, content_bytes: bytes) -> Path:
    beside = path.with_suffix(path.suffix + ".part")
    beside.write_bytes(content_bytes)
    beside.replace(path)
    return path
