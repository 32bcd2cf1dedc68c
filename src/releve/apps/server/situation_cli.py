"""`releve situation`: all structures of this server at a glance, worst first."""

import datetime as dt
import re
from collections import Counter
from pathlib import Path
from typing import Any

import click
import msgspec
from markupsafe import Markup

from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock
from releve.apps.console.words import Words
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.printable import printable
from releve.apps.web.assets import templates
from releve.flow.server.situations import Row, summed, worst_first

_T = Words("fr")
_NOTHING = "—"  # of a page's cell
# The columns of the page, in its order.
_COLUMNS = ("help", "incidents", "machines", "clocks", "backup", "drill")


@click.command()
@home_option
@db_option
@click.option("--most", type=click.IntRange(min=1), help="Les N premières seulement / the first N.")
@json_option
def situation(home: Path, db: str, most: int | None, *, as_json: bool) -> None:
    """Toutes les structures d'un coup d'œil, la pire d'abord / all structures, worst first.

    First where a caller said that care stands still and nobody came yet, then who waits for help, then
    care still at a standstill, late legal clocks, and what wants somebody now: the console's own order.
    Each is summed up from its rows as they are now, with or without a running server.

    Example: releve situation --most 10 --json
    """
    now = SystemClock().now()
    rows = everywhere(open_store(Home(home), db), now)
    shown = rows if most is None else rows[:most]
    if as_json:
        told = {
            "at": now.isoformat(timespec="seconds"),
            "count": len(rows),
            "hosts": sum(row.situation.hosts for row in rows),
            "moods": Counter(row.mood for row in rows),
            "structures": [_facts(row) for row in shown],
        }
        click.echo(msgspec.json.encode(told).decode())
        return
    click.echo(printable(_sums(rows)))
    for row in shown:
        for line in lines(row, now):
            click.echo(printable(line))


def everywhere(store: SqlStore, now: dt.datetime) -> tuple[Row, ...]:
    found = []
    for known in store.structures():
        with store.unit(known.id, writes=False) as unit:
            found.append((known.name, summed(unit, now)))
    return worst_first(found, now)


def lines(row: Row, now: dt.datetime) -> list[str]:
    """As the page tells it, but what there is nothing to say of."""
    why = ", ".join(_T(f"situation.why_{reason}") for reason in row.situation.reasons)
    mood = _T(f"situation.mood_{row.mood}")
    head = f"{mood:10}  {row.name}" + (f"  ({why})" if why else "")
    parts: Any = templates("releve.apps.console").get_template("_parts.html").module
    cells = re.findall(r"<td.*?</td>", str(parts.situation_cells(_T, row, now)), re.DOTALL)
    told = [Markup(cell).striptags() for cell in cells]  # noqa: S704 (the page's own)
    named = zip(_COLUMNS, told, strict=True)
    return [head, *(f"    {_column(name)} : {said}" for name, said in named if said != _NOTHING)]


def _column(name: str) -> str:
    return _T("nav.incidents") if name == "incidents" else _T(f"situation.{name}")


def _sums(rows: tuple[Row, ...]) -> str:
    moods = Counter(row.mood for row in rows)
    hosts = sum(row.situation.hosts for row in rows)
    said = [_T("situation.sum", n=len(rows)), _T("situation.hosts", n=hosts)]
    said += [_T(f"situation.{mood}", n=moods[mood]) for mood in ("down", "watching")]
    said += [_T("situation.setup", n=moods["setup"])] if moods["setup"] else []
    return " · ".join(said)


def _facts(row: Row) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(row.situation)
    return {"name": row.name, **facts, "backup_late": row.is_backup_late}
