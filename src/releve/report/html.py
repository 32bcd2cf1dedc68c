"""A document as one HTML page: self-contained, printable, readable without a style sheet."""

from typing import assert_never

from releve.report.document import (
    Block,
    Bullets,
    Callout,
    Cell,
    Document,
    Drawing,
    Heading,
    Lead,
    Prose,
    Section,
    Step,
    Story,
    Table,
    Terms,
    Tile,
    Tiles,
)
from releve.report.markup import EMPTY, Html, el, esc, join
from releve.report.sheet import SHEET, footer_rule


def render(document: Document) -> str:
    """The whole page. Nothing in it points outside the file."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="description", content=document.description),
        el("meta", name="author", content="Relève"),
        el("meta", name="robots", content="noindex"),
        el("title", esc(f"{document.kind} — Relève")),
        el("style", Html(SHEET + footer_rule(document.footer))),
    )
    body = el(
        "body",
        _mast(document),
        el("main", join([_section(section) for section in document.sections], "\n")),
        el("footer", el("p", esc(document.footer), class_="quiet"), class_="screen"),
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang=document.lang)}\n"


def _mast(document: Document) -> Html:
    about = [join([esc(name), esc(" "), el("b", esc(value))]) for name, value in document.about]
    return el(
        "header",
        el("div", el("p", esc(document.kind), class_="kind"), el("h1", esc(document.title))),
        el("p", join(about, "<br>"), class_="about"),
        class_="mast",
    )


def _section(section: Section) -> Html:
    names = [*(["sheet"] if section.sheet else []), *(["one_page"] if section.one_page else [])]
    title = el("h2", esc(section.title)) if section.title else EMPTY
    # The end mark lets the printer see whether the section stayed on one page.
    end = el("div", id=f"{section.anchor}-end") if section.one_page else EMPTY
    blocks = [_block(block) for block in section.blocks]
    return el("section", title, *blocks, end, id=section.anchor, class_=" ".join(names))


def _block(block: Block) -> Html:
    match block:
        case Lead():
            return el("p", esc(block.words), class_=f"lead {block.tone}".strip())
        case Prose():
            return el("p", esc(block.words), class_=block.tone, lang=block.lang)
        case Heading():
            return el("h3", esc(block.words))
        case Bullets():
            return _bullets(block)
        case Callout():
            inner = [el("h3", esc(block.title)), el("ul", *[el("li", esc(i)) for i in block.items])]
            return el("aside", *inner, class_=f"callout {block.tone}")
        case _:
            return _figure(block)


def _figure(block: Tiles | Table | Drawing | Story | Terms) -> Html:
    match block:
        case Tiles():
            return el("div", *[_tile(tile) for tile in block.tiles], class_="tiles")
        case Table():
            return _table(block)
        case Drawing():
            words = el("figcaption", esc(block.caption)) if block.caption else EMPTY
            return el("figure", block.svg, words)
        case Story():
            return el("ol", *[_step(step) for step in block.steps], class_="story")
        case Terms():
            pairs = [join([el("dt", esc(word)), el("dd", esc(said))]) for word, said in block.pairs]
            return el("dl", *pairs)
        case _:
            assert_never(block)


def _bullets(block: Bullets) -> Html:
    items = [el("li", esc(item)) for item in block.items]
    return el("ul", *items, class_=block.tone, lang=block.lang)


def _tile(tile: Tile) -> Html:
    return el(
        "div",
        el("p", esc(tile.label), class_="label"),
        el("p", esc(tile.value), class_="value"),
        el("p", esc(tile.rests_on), class_="rests"),
        class_=f"tile {tile.tone}".strip(),
    )


def _table(table: Table) -> Html:
    caption = el("caption", esc(table.caption)) if table.caption else EMPTY
    numeric = set(table.numeric)
    head = [
        el("th", esc(name), scope="col", class_="num" if column in numeric else "")
        for column, name in enumerate(table.head)
    ]
    rows = [
        el("tr", *[_cell(cell, number=column in numeric) for column, cell in enumerate(row)])
        for row in table.rows
    ]
    body = [el("thead", el("tr", *head)), el("tbody", join(rows, "\n"))]
    return el("div", el("table", caption, *body, class_=table.name), class_="scroll")


def _cell(cell: Cell, *, number: bool) -> Html:
    main = el("code", esc(cell.main)) if cell.code else esc(cell.main)
    if cell.badge:
        main = el("span", main, class_=f"badge {cell.tone}".strip())
    small = el("small", esc(cell.small)) if cell.small else EMPTY
    names = f"{'num' if number else ''} {cell.tone}".strip()
    return el("td", main, small, class_=names, lang=cell.lang)


def _step(step: Step) -> Html:
    bar = EMPTY
    if step.share > 0:
        width = f"width:{min(1.0, step.share) * 100:.0f}%"
        bar = el("div", el("i", style=width), class_="bar")
    small = el("small", esc(step.small)) if step.small else EMPTY
    return el(
        "li",
        el("div", el("span", esc(step.mark), class_="mark"), bar),
        el("div", el("span", esc(step.words), lang=step.lang), small),
        class_=step.tone,
    )
