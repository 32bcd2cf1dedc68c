"""Timelines drawn as SVG: every attack on one logarithmic axis, and one in true proportion."""

import math
from collections.abc import Sequence

import msgspec

from releve.report.markup import Html, el, esc, join
from releve.report.sheet import AMBER, INK, LINE, RED, SOFT, TEAL

WIDTH, ROW, TOP = 660, 15.2, 34
LEFT, RIGHT = 262, 566
TOUCHED = 616  # where that column ends  # where the axis of time begins and ends
FONT = "Source Sans 3, Helvetica Neue, Arial, Liberation Sans, sans-serif"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One attack. None: it was never stopped, or nothing was rolled back."""

    label: str
    fs: str
    group: str
    stop_ms: float | None
    back_ms: float | None  # from the first write to the last file put back
    touched: str
    lost: str
    is_lost: bool
    is_over: bool = False  # it had ended by itself: nobody was left to stop


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """The words of the drawing, in the reader's language."""

    title: str
    description: str
    touched: str
    lost: str
    never: str
    over: str
    legend: tuple[str, str, str]  # writes, stop, rollback
    ticks: tuple[tuple[float, str], ...]  # milliseconds and their name


def decades(slowest_ms: float) -> tuple[float, ...]:
    """The vertical lines: 1 ms, 10 ms, and so on, to the first one not below the slowest case."""
    top = max(2, math.ceil(math.log10(max(slowest_ms, 1.0))))
    return tuple(10.0**power for power in range(top + 1))


def overview(rows: Sequence[Row], labels: Labels) -> Html:
    """One line per row; a new group gets its heading line. As tall as it needs to be."""
    ceiling = labels.ticks[-1][0]
    parts: list[Html] = []
    y, group, label = float(TOP), "", ""
    for row in rows:
        if row.group != group:
            group, label = row.group, ""
            y += ROW * 1.3
            parts.append(_text(0, y, group.upper(), size=7.6, fill=TEAL, weight="bold"))
        y += ROW
        if row.label != label:  # the same attack on the next file system needs no second name
            label = row.label
            parts.append(_text(0, y, label, size=9.6))
        parts.append(_row(row, y, ceiling, labels))
    height = y + 14
    return _svg(height, labels, [_axis(labels, height), *parts])


def _row(row: Row, y: float, ceiling: float, labels: Labels) -> Html:
    middle = y - 3.2
    parts = [
        _text(LEFT - 9, y, row.fs, size=9, anchor="end", fill=SOFT),
        _text(TOUCHED, y, row.touched, size=9.6, anchor="end"),
        _text(
            WIDTH,
            y,
            row.lost,
            size=9.6,
            anchor="end",
            fill=RED if row.is_lost else INK,
            weight="bold" if row.is_lost else "",
        ),
    ]
    if row.stop_ms is None:
        said, colour, room = (labels.over, SOFT, 92) if row.is_over else (labels.never, RED, 58)
        parts.append(_line(LEFT, middle, RIGHT - room, middle, colour, 1.6, dash="3 2.5"))
        parts.append(_text(RIGHT, y, said, size=8.6, anchor="end", fill=colour))
        return el("g", *parts)
    stop = place(row.stop_ms, ceiling)
    parts.append(_line(LEFT, middle, stop, middle, AMBER, 3.2))
    if row.back_ms is not None:
        back = place(row.back_ms, ceiling)
        parts.append(_line(stop, middle, back, middle, TEAL, 1.4))
        parts.append(el("circle", cx=_n(back), cy=_n(middle), r=2.3, fill=TEAL))
    parts.append(_line(stop, middle - 4, stop, middle + 4, INK, 1.5))
    return el("g", *parts)


def place(ms: float, ceiling: float) -> float:
    """Where a duration stands on the axis; below one millisecond it stands at one."""
    share = math.log10(min(max(ms, 1.0), ceiling)) / math.log10(ceiling)
    return LEFT + 10 + share * (RIGHT - LEFT - 10)


def _axis(labels: Labels, height: float) -> Html:
    ceiling = labels.ticks[-1][0]
    parts = [_legend(labels)]
    for ms, name in labels.ticks:
        x = place(ms, ceiling)
        parts.append(_line(x, TOP + 3, x, height - 8, LINE, 0.7))
        parts.append(_text(x, TOP, name, size=8.4, anchor="middle", fill=SOFT))
    parts.append(_line(LEFT, TOP + 3, LEFT, height - 8, SOFT, 0.7))
    parts.append(_text(TOUCHED, TOP, labels.touched, size=8.4, anchor="end", fill=SOFT))
    parts.append(_text(WIDTH, TOP, labels.lost, size=8.4, anchor="end", fill=SOFT))
    return el("g", *parts)


def _legend(labels: Labels) -> Html:
    writes, stop, back = labels.legend
    y = 10.0
    return el(
        "g",
        _line(LEFT, y - 3, LEFT + 18, y - 3, AMBER, 3.2),
        _text(LEFT + 23, y, writes, size=9),
        _line(LEFT + 118, y - 7, LEFT + 118, y + 1, INK, 1.5),
        _text(LEFT + 124, y, stop, size=9),
        _line(LEFT + 176, y - 3, LEFT + 192, y - 3, TEAL, 1.4),
        el("circle", cx=LEFT + 193, cy=_n(y - 3), r=2.3, fill=TEAL),
        _text(LEFT + 200, y, back, size=9),
    )


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """One attack in true proportion, with the words at its three moments."""

    title: str
    description: str
    stop_ms: float
    back_ms: float
    first: str
    stop: str
    back: str


def close_up(close: Close) -> Html:
    """Time in true proportion from the first write to the last file put back."""
    whole = max(close.back_ms, close.stop_ms, 0.001)
    start, end, y = 4.0, float(WIDTH) - 4, 34.0
    stop = start + (end - start) * close.stop_ms / whole
    # The word stands on the side where there is room for it.
    anchor = "start" if stop < WIDTH / 3 else "end" if stop > WIDTH * 2 / 3 else "middle"
    parts = [
        _line(start, y, stop, y, AMBER, 7),
        _line(stop, y, end, y, TEAL, 3),
        el("circle", cx=_n(start), cy=_n(y), r=4, fill=AMBER),
        el("circle", cx=_n(end), cy=_n(y), r=4, fill=TEAL),
        _line(stop, y - 10, stop, y + 10, INK, 2),
        _text(0, y - 16, close.first, size=10.5),
        _text(stop, y + 24, close.stop, size=10.5, anchor=anchor, weight="bold"),
        _text(WIDTH, y - 16, close.back, size=10.5, anchor="end", fill=TEAL, weight="bold"),
    ]
    return _frame(68, close.title, close.description, parts)


def _svg(height: float, labels: Labels, parts: list[Html]) -> Html:
    return _frame(height, labels.title, labels.description, parts)


def _frame(height: float, title: str, description: str, parts: list[Html]) -> Html:
    return el(
        "svg",
        el("title", esc(title)),
        el("desc", esc(description)),
        join(parts, "\n"),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {_n(height)}",
        role="img",
        aria_label=f"{title} — {description}",
    )


def _text(x: float, y: float, words: str, **style: object) -> Html:
    return el(
        "text",
        esc(words),
        x=_n(x),
        y=_n(y),
        font_size=style.get("size", 9),
        font_family=FONT,
        font_weight=style.get("weight"),
        text_anchor=style.get("anchor"),
        fill=style.get("fill", INK),
    )


def _line(
    x1: float, y1: float, x2: float, y2: float, colour: str, width: float, dash: str = ""
) -> Html:
    return el(
        "line",
        x1=_n(x1),
        y1=_n(y1),
        x2=_n(x2),
        y2=_n(y2),
        stroke=colour,
        stroke_width=width,
        stroke_dasharray=dash,
    )


def _n(value: float) -> str:
    return f"{value:.1f}"
