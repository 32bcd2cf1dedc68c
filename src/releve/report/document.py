"""A report as structured data: sections of blocks, independent of HTML and of what is reported."""

from typing import Literal

import msgspec

from releve.report.markup import Html
from releve.report.text import Lang

Tone = Literal["", "good", "bad", "quiet"]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a table: the value, and beneath it in small what it rests on."""

    main: str
    small: str = ""
    tone: Tone = ""
    badge: bool = False  # shown as a mark (held, not held, not measured)
    code: bool = False
    lang: str = ""  # when the words are not of the document's language


class Lead(msgspec.Struct, frozen=True, kw_only=True, tag="lead"):
    """The result in one large sentence."""

    words: str
    tone: Tone = ""


class Prose(msgspec.Struct, frozen=True, kw_only=True, tag="prose"):
    words: str
    tone: Tone = ""
    lang: str = ""  # when the words are not of the document's language


class Heading(msgspec.Struct, frozen=True, kw_only=True, tag="heading"):
    words: str


class Bullets(msgspec.Struct, frozen=True, kw_only=True, tag="bullets"):
    """A list; `lang` when its words come in another language than the document's."""

    items: tuple[str, ...]
    tone: Tone = ""
    lang: str = ""


class Callout(msgspec.Struct, frozen=True, kw_only=True, tag="callout"):
    """A framed list that must not be overlooked: what did not hold."""

    title: str
    items: tuple[str, ...]
    tone: Tone = "bad"


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: its name, its value, and what it rests on (n, median, worst)."""

    label: str
    value: str
    rests_on: str
    tone: Tone = ""


class Tiles(msgspec.Struct, frozen=True, kw_only=True, tag="tiles"):
    tiles: tuple[Tile, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True, tag="table"):
    """`numeric` names the columns (from 0) that are set to the right; `name` is its CSS class."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[int, ...] = ()
    name: str = ""


class Drawing(msgspec.Struct, frozen=True, kw_only=True, tag="drawing"):
    """An SVG that was drawn already, with the words that stand beneath it."""

    svg: Html
    caption: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One moment or reason in an ordered story."""

    mark: str
    words: str
    small: str = ""
    share: float = 0.0  # 0 to 1: how far the bar beside it goes
    tone: Tone = ""
    lang: str = ""


class Story(msgspec.Struct, frozen=True, kw_only=True, tag="story"):
    steps: tuple[Step, ...]


class Terms(msgspec.Struct, frozen=True, kw_only=True, tag="terms"):
    """Words and what they mean."""

    pairs: tuple[tuple[str, str], ...]


Block = Lead | Prose | Heading | Bullets | Callout | Tiles | Table | Drawing | Story | Terms


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the report. `sheet`: starts on a new page; `one_page`: ends on its page (a sheet is then wide)."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]
    sheet: bool = True
    one_page: bool = False


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A whole report in one language."""

    lang: Lang
    title: str
    kind: str  # above the title: "Rapport de simulation"
    about: tuple[tuple[str, str], ...]  # where, when, with what
    footer: str
    sections: tuple[Section, ...]
    description: str = ""
