"""Writes docs/fr/rgpd/ from content/papers and the code's settings; with --check, says what is stale."""

import sys
from pathlib import Path

from releve.apps.server.paper_facts import papers_in
from releve.report.document import Bullets, Document, Prose, Section, Table, Terms
from releve.report.privacy_facts import told
from releve.report.privacy_paper import paper_document

FOLDER = Path(__file__).parents[1] / "docs/fr/rgpd"
HEAD = (
    "<!-- Écrit par scripts/papers.py d’après content/papers et les réglages du programme :"
    " ne pas modifier ici. -->\n"
)


def pages() -> dict[str, str]:
    """Every page by the name of its file, as a structure that told nothing would see it."""
    shelf = papers_in("fr")
    facts = shelf.figures | told("", None, "") | {"day": ""}
    made = {f"{p.id}.md": page(paper_document(p, shelf.policy, facts)) for p in shelf.papers}
    return {"README.md": _index(), **made}


def page(document: Document) -> str:
    """The document as Markdown."""
    first, *rest = document.sections
    parts = [HEAD, f"# {document.kind}\n", *_blocks(first)]
    parts.append(f"Modèle du {document.about[0][1]}. {document.footer}\n")
    for section in rest:
        parts += [f"## {section.title}\n", *_blocks(section)]
    return "\n".join(parts)


def _blocks(section: Section) -> list[str]:
    made = []
    for block in section.blocks:
        match block:
            case Prose():
                made.append(f"{block.words}\n")
            case Bullets():
                made.append("".join(f"- {item}\n" for item in block.items))
            case Terms():
                made.append("".join(f"- **{word}** : {said}\n" for word, said in block.pairs))
            case Table():
                made.append(_table(block))
            case _:
                raise TypeError(type(block))
    return made


def _table(table: Table) -> str:
    rows = [[" ; ".join(w for w in (c.main, c.small) if w) for c in row] for row in table.rows]
    lines = [list(table.head), ["---"] * len(table.head), *rows]
    body = "".join(
        "| " + " | ".join(w.replace("|", "\\|") for w in line) + " |\n" for line in lines
    )
    return f"{table.caption} :\n\n{body}" if table.caption else body


def _index() -> str:
    lines = [f"- [{paper.title}]({paper.id}.md)\n" for paper in papers_in("fr").papers]
    return (
        f"{HEAD}\n# Les papiers RGPD de Relève\n\n{''.join(lines)}\n"
        "Remplis avec les noms, contacts et réglages d’une structure, blancs marqués, en PDF :\n\n"
        '```\nreleve papers print --structure "Cabinet du Parc" --operator "Infogérance du Lac"'
        " --out /srv/papiers\n```\n\n"
        "Les durées ne sont écrites nulle part à la main : elles viennent des réglages du programme"
        " (`releve papers retention`).\n"
    )


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = 0
    for name, text in pages().items():
        place = FOLDER / name
        if "--check" not in sys.argv:
            place.write_text(text)
        elif not place.exists() or place.read_text() != text:
            print(f"docs/fr/rgpd/{name} is stale: run `make docs`", file=sys.stderr)
            stale += 1
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
