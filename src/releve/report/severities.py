"""How grave something is, in words: the only place, for pages, statements, mails and commands."""

from releve.model.finding import Severity
from releve.report.text import Counted, counted

WORDS: dict[Severity, Counted] = {
    Severity.CRITICAL: counted("critique", "critiques", "critical", "critical"),
    Severity.SERIOUS: counted("sérieux", "sérieux", "serious", "serious"),
    Severity.NOTICE: counted("à noter", "à noter", "notice", "notices"),
    Severity.INFO: counted("information", "informations", "information", "information"),
}


def texts(language: str) -> dict[str, str]:
    """By the key that the console's pages ask for."""
    return {
        f"severity.{severity.value}": word.one.en if language == "en" else word.one.fr
        for severity, word in WORDS.items()
    }
