"""Builds HTML and SVG from escaped parts: what was not escaped does not type-check as `Html`."""

import html
import re
from typing import NewType

Html = NewType("Html", str)
EMPTY = Html("")
# "rapport\u202excod.exe" reads as "rapportexe.docx": marks that turn the direction of writing.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
VOID = frozenset({"meta", "br", "hr", "line", "circle", "rect", "path"})


def straight(text: str) -> str:
    """The text in the order of its letters: a mark that turns them is shown, not obeyed."""
    return _TURNING.sub("\N{REPLACEMENT CHARACTER}", text) if not text.isascii() else text


def esc(value: object) -> Html:
    return Html(html.escape(straight(str(value))))


def join(parts: list[Html] | tuple[Html, ...], by: str = "") -> Html:
    return Html(by.join(parts))


def el(tag: str, *children: Html, **attributes: object) -> Html:
    """One element. `class_` is `class`, other `_` become `-`; None and "" leave it out."""
    shown = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{esc(value)}"'
        for name, value in attributes.items()
        if value is not None and value != ""
    )
    if tag in VOID and not children:
        return Html(f"<{tag}{shown}>" if tag in {"meta", "br", "hr"} else f"<{tag}{shown}/>")
    return Html(f"<{tag}{shown}>{''.join(children)}</{tag}>")
