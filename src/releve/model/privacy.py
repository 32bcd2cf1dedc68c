"""Relève's own papers under the GDPR: what is kept how long, and the documents that say so.

Texts name figures and facts in braces (`{session_hours}`, `{structure}`): figures are the settings that
the code works by, facts what the structure said of itself.
"""

import msgspec


class _Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read from content/: a word that is not known is an error."""


class KeptData(_Content, frozen=True, kw_only=True):
    """One line of the retention policy."""

    id: str
    data: str
    where: str
    how_long: str  # no figure but in braces
    ended_by: str
    shown_by: str  # the command that shows it
    setting: str  # where the code has it
    tables: tuple[str, ...] = ()  # of the server's database


class KeptPolicy(_Content, frozen=True, kw_only=True):
    """Every kind of data that Relève keeps; each table of the server is in one line."""

    valid_from: str
    kept: tuple[KeptData, ...]


class PaperPart(_Content, frozen=True, kw_only=True):
    """A part of a paper, shown in this order. `kept`: ids of the policy; "*": all, with settings."""

    title: str
    prose: tuple[str, ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
    bullets: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()  # with room for an answer
    kept: tuple[str, ...] = ()
    new_page: bool = False


class PrivacyPaper(_Content, frozen=True, kw_only=True):
    """One document, dated, with its sources."""

    title: str
    about: str  # one line: what it is for
    intro: str
    valid_from: str
    sources: tuple[str, ...]
    parts: tuple[PaperPart, ...]
    id: str = ""  # the name of its file


class Papers(msgspec.Struct, frozen=True, kw_only=True):
    """All of them in one language, with the figures that they state."""

    papers: tuple[PrivacyPaper, ...]
    policy: KeptPolicy
    figures: dict[str, str]

    def named(self, name: str) -> PrivacyPaper | None:
        return next((paper for paper in self.papers if paper.id == name), None)
