"""A document of prose, callouts and tables as a Word file (server extra): for who completes it there."""

import io

import docx
from docx.document import Document as Word

from releve.report.document import Block, Callout, Document, Prose, Table


def docx_of(document: Document) -> bytes:
    """The whole document. Raises TypeError for a block that no dossier has."""
    word = docx.Document()
    word.core_properties.title = document.kind
    word.core_properties.author = "Relève"
    word.core_properties.language = document.lang
    word.add_heading(document.kind, level=0)
    word.add_paragraph(document.title)
    for name, value in document.about:
        word.add_paragraph(f"{name} : {value}")
    for section in document.sections:
        for block in section.blocks:
            _add(word, block)
    word.add_paragraph(document.footer)
    out = io.BytesIO()
    word.save(out)
    return out.getvalue()


def _add(word: Word, block: Block) -> None:
    match block:
        case Prose():
            word.add_paragraph(block.words)
        case Callout():
            word.add_heading(block.title, level=2)
            for item in block.items:
                word.add_paragraph(item, style="List Bullet")
        case Table():
            _add_table(word, block)
        case _:
            raise TypeError(f"a Word file shows no {type(block).__name__}")


def _add_table(word: Word, block: Table) -> None:
    word.add_heading(block.caption, level=2)
    table = word.add_table(rows=1, cols=len(block.head), style="Table Grid")
    for place, name in enumerate(block.head):
        table.rows[0].cells[place].text = name
    for row in block.rows:
        cells = table.add_row().cells
        for place, cell in enumerate(row):
            cells[place].text = "\n".join(part for part in (cell.main, cell.small) if part)
