"""Builds HTML and SVG from escaped parts: what was not escaped does not type-check as `Html`."""

import html
from typing import NewType

Html = NewType("Html", str)
EMPTY = Html("")
VOID = frozenset({"meta", "br", "hr", "line", "circle", "rect", "path"})


def esc(value: object) -> Html:
    return Html(html.escape(str(value)))


def join(parts: list[Html] | tuple[Html, ...], by: str = "") -> Html:
    return Html(by.join(parts))


def el(tag: str, *children: Html, **attributes: object) -> Html:
    """One element. `class_` is `class`, other `_` become `-`; None and "" leave it out."""
    shown = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None and value != ""
    )
    if tag in VOID and not children:
        return Html(f"<{tag}{shown}>" if tag in {"meta", "br", "hr"} else f"<{tag}{shown}/>")
    return Html(f"<{tag}{shown}>{''.join(children)}</{tag}>")
