"""A paper under the GDPR as a printable document: blanks are marked, nothing is guessed.

The French text is the paper; the English one helps to read it, and says so.
"""

from collections.abc import Mapping, Sequence

import msgspec

from releve.model.dossier import BLANK
from releve.model.privacy import KeptData, KeptPolicy, PaperPart, PrivacyPaper
from releve.report.document import Block, Bullets, Cell, Document, Prose, Section, Table, Terms
from releve.report.text import Lang, Text, Voice, text

_AID = text(
    "",
    "This English text helps to read the French paper. Only the French version counts: sign and hand out that one.",
)
BLANKS = text(BLANK, "[TO BE FILLED IN]")
_FOOTER = text(
    "Modèle préparé par Relève, à relire et à adapter. Ce n’est pas un conseil juridique.",
    "Model prepared by Relève, to be read and adapted. This is no legal advice. The French version is what counts.",
)
_MODEL, _PRINTED = text("Modèle du", "Model of"), text("Imprimé le", "Printed on")
_CAPTION = text(
    "Durées, telles que le programme les applique", "Times, as the program applies them"
)
_SOURCES = text("Sources", "Sources")
_HEADS = (
    text("Données", "Data"),
    text("Où", "Where"),
    text("Combien de temps", "How long"),
    text("Qui efface", "Who erases"),
)
_SETTING = text("Réglage et commande", "Setting and command")
_QUESTIONS = (text("Question", "Question"), text("Oui / non, et pourquoi", "Yes / no, and why"))


def fill(words: str, facts: Mapping[str, str], blank: str = BLANK) -> str:
    """With each name in braces as it is known; what is not told is a blank.

    Raises: KeyError, for a name that means nothing.
    """
    return words.format_map({name: said or blank for name, said in facts.items()})


def kept_rows(
    policy: KeptPolicy, wanted: Sequence[str], facts: Mapping[str, str]
) -> list[KeptData]:
    """The lines of these ids ("*": all) with their figures."""
    return [
        msgspec.structs.replace(row, how_long=fill(row.how_long, facts))
        for row in policy.kept
        if "*" in wanted or row.id in wanted
    ]


def paper_document(
    paper: PrivacyPaper, policy: KeptPolicy, facts: Mapping[str, str], lang: Lang = "fr"
) -> Document:
    """`facts`: figures and what the structure told, "" where it did not; and `day`."""
    said, voice = _Filled(facts, lang), Voice(lang)
    aid = (Prose(words=said.of(_AID)),) if said.of(_AID) else ()
    blocks = (*aid, Prose(words=said(paper.intro)))
    first = Section(anchor="debut", title="", blocks=blocks, sheet=False)
    parts = [_part(number, part, policy, said) for number, part in enumerate(paper.parts, 1)]
    listed = (Bullets(items=paper.sources),)
    sources = Section(anchor="sources", title=said.of(_SOURCES), blocks=listed, sheet=False)
    return Document(
        lang=lang,
        title=said("{structure}"),
        kind=paper.title,
        about=(
            (said.of(_MODEL), voice.day(paper.valid_from)),
            (said.of(_PRINTED), voice.day(said("{day}"))),
        ),
        footer=said.of(_FOOTER),
        sections=(first, *parts, sources),
        description=paper.title,
    )


class _Filled:
    """Texts of one language, with what is known in them."""

    def __init__(self, facts: Mapping[str, str], lang: Lang) -> None:
        self.facts, self._voice = facts, Voice(lang)

    def of(self, words: Text) -> str:
        return self._voice.say(words)

    def __call__(self, words: str) -> str:
        return fill(words, self.facts, self.of(BLANKS))


def _part(number: int, part: PaperPart, policy: KeptPolicy, said: _Filled) -> Section:
    blocks: list[Block] = [Prose(words=said(words)) for words in part.prose]
    if part.terms:
        blocks.append(Terms(pairs=tuple((word, said(words)) for word, words in part.terms)))
    if part.bullets:
        blocks.append(Bullets(items=tuple(said(words) for words in part.bullets)))
    if part.questions:
        asked = tuple((Cell(main=said(words)), Cell(main="")) for words in part.questions)
        head = tuple(said.of(words) for words in _QUESTIONS)
        blocks.append(Table(caption="", head=head, rows=asked, name="asked"))
    if part.kept:
        rows = kept_rows(policy, part.kept, said.facts)
        blocks.append(_retention(rows, said, whole="*" in part.kept))
    return Section(
        anchor=f"partie-{number}", title=part.title, blocks=tuple(blocks), sheet=part.new_page
    )


def _retention(rows: Sequence[KeptData], said: _Filled, *, whole: bool) -> Table:
    """The whole policy names where each line is set, and what shows it."""
    cells = []
    for row in rows:
        line = [Cell(main=words) for words in (row.data, row.where, row.how_long, row.ended_by)]
        cells.append((*line, Cell(main=row.setting, small=row.shown_by)) if whole else tuple(line))
    return Table(
        caption=said.of(_CAPTION),
        head=tuple(said.of(words) for words in (*_HEADS, *([_SETTING] if whole else []))),
        rows=tuple(cells),
        name="kept",
    )
