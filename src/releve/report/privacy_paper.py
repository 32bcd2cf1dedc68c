"""A paper under the GDPR as a printable document, in French: blanks are marked, nothing is guessed."""

from collections.abc import Mapping, Sequence

import msgspec

from releve.model.dossier import BLANK
from releve.model.privacy import KeptData, KeptPolicy, PaperPart, PrivacyPaper
from releve.report.document import Block, Bullets, Cell, Document, Prose, Section, Table, Terms

_FOOTER = "Modèle préparé par Relève, à relire et à adapter. Ce n’est pas un conseil juridique."
_HEAD = ("Données", "Où", "Combien de temps", "Qui efface")
_HEAD_WITH_SETTINGS = ("Données", "Où", "Combien de temps", "Qui efface", "Réglage et commande")
_QUESTIONS = ("Question", "Oui / non, et pourquoi")


def fill(words: str, facts: Mapping[str, str]) -> str:
    """With each name in braces as it is known; what is not told is a blank.

    Raises: KeyError, for a name that means nothing.
    """
    return words.format_map({name: said or BLANK for name, said in facts.items()})


def kept_rows(
    policy: KeptPolicy, wanted: Sequence[str], facts: Mapping[str, str]
) -> list[KeptData]:
    """The lines of these ids ("*": all) with their figures."""
    return [
        msgspec.structs.replace(row, how_long=fill(row.how_long, facts))
        for row in policy.kept
        if "*" in wanted or row.id in wanted
    ]


def paper_document(paper: PrivacyPaper, policy: KeptPolicy, facts: Mapping[str, str]) -> Document:
    """`facts`: figures and what the structure told, "" where it did not; and `day`."""
    start = Prose(words=fill(paper.intro, facts))
    first = Section(anchor="debut", title="", blocks=(start,), sheet=False)
    parts = [_part(number, part, policy, facts) for number, part in enumerate(paper.parts, 1)]
    sources = Section(
        anchor="sources", title="Sources", blocks=(Bullets(items=paper.sources),), sheet=False
    )
    return Document(
        lang="fr",
        title=fill("{structure}", facts),
        kind=paper.title,
        about=(("Modèle du", paper.valid_from), ("Imprimé le", fill("{day}", facts))),
        footer=_FOOTER,
        sections=(first, *parts, sources),
        description=paper.title,
    )


def _part(number: int, part: PaperPart, policy: KeptPolicy, facts: Mapping[str, str]) -> Section:
    blocks: list[Block] = [Prose(words=fill(words, facts)) for words in part.prose]
    if part.terms:
        pairs = tuple((word, fill(said, facts)) for word, said in part.terms)
        blocks.append(Terms(pairs=pairs))
    if part.bullets:
        blocks.append(Bullets(items=tuple(fill(words, facts) for words in part.bullets)))
    if part.questions:
        asked = tuple((Cell(main=fill(words, facts)), Cell(main="")) for words in part.questions)
        blocks.append(Table(caption="", head=_QUESTIONS, rows=asked, name="asked"))
    if part.kept:
        blocks.append(_retention(kept_rows(policy, part.kept, facts), whole="*" in part.kept))
    return Section(
        anchor=f"partie-{number}", title=part.title, blocks=tuple(blocks), sheet=part.new_page
    )


def _retention(rows: Sequence[KeptData], *, whole: bool) -> Table:
    """The whole policy names where each line is set, and what shows it."""
    cells = []
    for row in rows:
        line = [Cell(main=said) for said in (row.data, row.where, row.how_long, row.ended_by)]
        cells.append((*line, Cell(main=row.setting, small=row.shown_by)) if whole else tuple(line))
    return Table(
        caption="Durées, telles que le programme les applique",
        head=_HEAD_WITH_SETTINGS if whole else _HEAD,
        rows=tuple(cells),
        name="kept",
    )
