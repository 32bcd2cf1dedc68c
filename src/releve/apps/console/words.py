"""The console's texts in French and English."""

from collections.abc import Mapping

from releve.apps.web import words
from releve.apps.web.words import LANGUAGES, choose_language

__all__ = ["LANGUAGES", "Words", "all_texts", "choose_language"]

_TEXTS = words.load("releve.apps.console")


def all_texts(language: str) -> Mapping[str, str]:
    return _TEXTS[language]


class Words(words.Words):
    """One language of the console."""

    def __init__(self, language: str) -> None:
        super().__init__(language, _TEXTS)
