"""How the vault's commands read and say sizes and times."""

import datetime as dt
import json
import re
import sys
from collections.abc import Mapping

import click

from releve.adapters.vault.layout import DEFAULT, ENVIRONMENT
from releve.report.text import Voice

data_option = click.option(
    "--data",
    default=DEFAULT,
    show_default=True,
    envvar=ENVIRONMENT,
    metavar="DIR",
    help="Dossier du coffre. (RELEVE_VAULT)",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+)\s*([KMGT]?)(?:i?B|o)?\Z", re.IGNORECASE)


class Size(click.ParamType[int]):
    """500G, 20M, 4096."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        found = _SIZE.match(str(value).strip())
        if found is None:
            self.fail(f"{value!r} n'est pas une taille / is no size (500G, 20M, 4096)", param, ctx)
        return int(found[1]) * _UNITS[found[2].upper()]


class Moment(click.ParamType[int]):
    """An ISO time, local when it says no zone; kept as nanoseconds."""

    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            at = dt.datetime.fromisoformat(str(value).strip())
        except ValueError:
            self.fail(f"{value!r} n'est pas une date / is no time (2026-11-22T03:00)", param, ctx)
        return int(at.astimezone(dt.UTC).timestamp() * 1e9)


def when(ns: int) -> str:
    """Local time to the second; a dash for none."""
    if not ns:
        return "-"
    return dt.datetime.fromtimestamp(ns / 1e9, dt.UTC).astimezone().isoformat(" ", "seconds")


def until(ns: int) -> str:
    """The same for a sentence, as a person writes it: 22 nov. 2026 à 10:00 CET."""
    return Voice("fr").moment(dt.datetime.fromtimestamp(ns / 1e9, dt.UTC).astimezone())


def iso(ns: int) -> str | None:
    if not ns:
        return None
    return dt.datetime.fromtimestamp(ns / 1e9, dt.UTC).isoformat()


def size(count: int) -> str:
    """In people's units."""
    return Voice("fr").size(count)


def tell(facts: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """One result: a JSON line, or words."""
    click.echo(json.dumps(facts, ensure_ascii=False) if as_json else text)


def progress(text: str) -> None:
    """Talk on a terminal: the line is written over."""
    if sys.stderr.isatty():
        click.echo(f"\r{text}\033[K", err=True, nl=False)


def end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("", err=True)
