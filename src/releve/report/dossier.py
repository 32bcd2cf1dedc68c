"""A dossier as a printable document, in French: it goes to French authorities, insurers, patients."""

import datetime as dt
from collections.abc import Mapping

import msgspec

from releve.model.dossier import BLANK, Dossier, Line, Paper, Signature
from releve.report.document import Block, Callout, Cell, Document, Prose, Section, Table
from releve.report.text import Voice

_MARKS = {
    "verified": "source vérifiée",
    "secondary": "source de seconde main",
    "unverified": "source non vérifiée",
}
_HEAD = ("Champ", "Contenu", "Source")
_FOOTER = "Préparé par Relève. Rien n’a été envoyé : une personne relit, signe et dépose."
_CHANGED = "Modifié depuis la signature"
_WORTHLESS = (
    "La signature ne vaut pas pour ce texte. Ne l’envoyez pas : relisez et signez de nouveau."
)
_FRENCH = Voice("fr")


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around a paper: where it goes, what the sources are called, who says caution.

    `is_changed`: it is no longer what was signed.
    """

    how: str
    url: str
    caution: str
    sources: Mapping[str, str]
    zone: dt.tzinfo
    is_changed: bool = False


def dossier_document(paper: Paper, dossier: Dossier, around: Around) -> Document:
    """What is missing stands first; each field names its source, and how sure that is."""
    made = paper.made_at.astimezone(around.zone)
    parts = dict.fromkeys(line.part for line in paper.lines)
    sections = [_first(paper, dossier, around)]
    sections += [_part(paper, part) for part in parts]
    sections += [_signature(dossier, around), _sources(paper, around)]
    return Document(
        lang="fr",
        title=paper.structure or BLANK,
        kind=paper.name,
        about=(
            ("À", paper.to),
            ("Incident", paper.incident),
            ("Version", f"{dossier.version}, {_FRENCH.moment(made)}"),
        ),
        footer=_FOOTER,
        sections=tuple(sections),
        description=paper.name,
    )


def _first(paper: Paper, dossier: Dossier, around: Around) -> Section:
    gaps = tuple(line.label for line in paper.lines if line.is_blank)
    blocks: list[Block] = [Prose(words=f"{around.how} {around.url}".strip())]
    if around.is_changed:
        blocks.append(Callout(title=_CHANGED, items=(_WORTHLESS,)))
    if gaps:
        blocks.append(Callout(title=f"{BLANK} : {len(gaps)}", items=gaps))
    if dossier.signature is None:
        blocks.append(Prose(words="Brouillon, non signé.", tone="bad"))
    blocks.append(Prose(words=around.caution, tone="quiet"))
    return Section(anchor="debut", title=paper.name, blocks=tuple(blocks), sheet=False)


def _part(paper: Paper, part: str) -> Section:
    rows = tuple(row for line in paper.lines if line.part == part for row in _rows(line))
    table = Table(caption=part, head=_HEAD, rows=rows, name="dossier")
    return Section(anchor=_anchor(part), title="", blocks=(table,), sheet=False)


def _rows(line: Line) -> list[tuple[Cell, ...]]:
    """A row for each line of the value: a long one may run on to the next page."""
    source = Cell(main=", ".join(line.sources), small=_MARKS[line.mark], tone="quiet")
    if line.is_blank:
        return [(Cell(main=line.label), Cell(main=BLANK, tone="bad"), source)]
    first, *rest = line.value.splitlines() or ["—"]
    empty = Cell(main="")
    return [
        (Cell(main=line.label), Cell(main=first), source),
        *((empty, Cell(main=more), empty) for more in rest),
    ]


def _signature(dossier: Dossier, around: Around) -> Section:
    said = dossier.signature
    rows: list[tuple[Cell, ...]] = []
    if said is not None:
        when = _FRENCH.moment(said.at.astimezone(around.zone))
        rows += [
            _signed(said, is_changed=around.is_changed),
            (Cell(main="Le"), Cell(main=when)),
            (Cell(main="SHA-256 du document (JSON)"), Cell(main=said.sha256, code=True)),
        ]
    else:
        rows.append((Cell(main="Nom, fonction, date, signature"), Cell(main=BLANK, tone="bad")))
    if dossier.receipt is not None:
        got = dossier.receipt
        rows += [
            (Cell(main="Récépissé"), Cell(main=got.reference)),
            (Cell(main="SHA-256 du récépissé"), Cell(main=got.sha256, code=True)),
        ]
    table = Table(caption="Signature", head=("Champ", "Contenu"), rows=tuple(rows), name="dossier")
    return Section(anchor="signature", title="", blocks=(table,), sheet=False)


def _signed(said: Signature, *, is_changed: bool) -> tuple[Cell, ...]:
    """The name is what a person wrote; the account is who wrote it."""
    who = f"{said.name}, {said.role} (compte : {said.login})"
    if is_changed:
        return Cell(main=_CHANGED, tone="bad"), Cell(main=_WORTHLESS, small=who, tone="bad")
    return Cell(main="Signé par"), Cell(main=who)


def _sources(paper: Paper, around: Around) -> Section:
    used = dict.fromkeys(source for line in paper.lines for source in line.sources)
    rows = tuple((Cell(main=s), Cell(main=around.sources.get(s, s))) for s in used)
    caption = f"Sources, relues le {paper.law_dated}"
    table = Table(caption=caption, head=("Repère", "Source"), rows=rows, name="dossier")
    return Section(anchor="sources", title="", blocks=(table,), sheet=False)


def _anchor(part: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in part.lower())
