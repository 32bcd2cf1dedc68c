"""What `releve recover` says to people: French, and English where the terminal is set to it."""

from collections.abc import Mapping

from releve.apps.cli.called import spoken
from releve.apps.recover.state import Phase
from releve.report.text import Voice

STEPS: Mapping[str, tuple[str, str]] = {
    "laid": ("versions plus récentes posées", "newer versions laid"),
    "open": ("dossier ouvert", "folder open"),
    "first_file": ("premier fichier lu", "first file read"),
    "first_write": ("première écriture", "first write"),
    "shared": ("ouvert sur le réseau", "open over the network"),
    "database_query": ("première requête à une base", "first query of a database"),
    "today_local": ("patients du jour ici", "today's patients are here"),
    "databases_local": ("bases ici", "databases are here"),
    "all_local": ("tout est ici", "all is here"),
    "verified": ("vérifié", "verified"),
}
PHASES: Mapping[Phase, tuple[str, str]] = {
    Phase.OPEN: ("ouvert, les données reviennent", "open, data come home"),
    Phase.LOCAL: ("tout est ici", "all is here"),
    Phase.CLOSING: ("se referme", "closing"),
    Phase.VERIFYING: ("se vérifie", "verifying"),
    Phase.DONE: ("terminé et vérifié", "done and verified"),
}
# What `recover finish` does, as its driver names it.
ENDING: Mapping[str, tuple[str, str]] = {
    "closing": ("le dossier se ferme", "closing the folder"),
    "cleaning": ("il devient un dossier ordinaire", "making it an ordinary folder"),
    "verifying": ("chaque fichier est vérifié", "verifying every file"),
}


def said(fr: str, en: str) -> str:
    """The one of both that this terminal reads."""
    return en if spoken() == "en" else fr


def voice() -> Voice:
    """Numbers and sizes of the same language."""
    return Voice(spoken())


def step(name: str, seconds: float) -> str:
    """A step and the seconds that it took since the order."""
    return f"{voice().number(seconds, 2):>8} s  {said(*STEPS[name])}"
