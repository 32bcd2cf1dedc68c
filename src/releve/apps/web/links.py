"""Links as the commands tell them, and what a machine must have to serve pages."""

import json
from collections.abc import Sequence
from importlib.util import find_spec

import click

from releve.adapters.passes import Issued
from releve.apps.web.listening import LOOPBACK, host_of
from releve.model.errors import ReleveError

_PARTS = ("jinja2", "litestar", "uvicorn")


class PagesMissingError(ReleveError):
    """What serves pages is not installed on this machine."""

    status = 22
    remedy = "Install it: pip install 'releve[pages]'."

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"Pages need {', '.join(missing)}.")


def need_pages() -> None:
    """Raises: PagesMissingError."""
    if missing := [name for name in _PARTS if find_spec(name) is None]:
        raise PagesMissingError(missing)


def with_code_at(url: str) -> bool:
    """Whether a link there needs its code: who reads it on this machine's screen stands before it."""
    return host_of(url.partition("//")[2]) not in LOOPBACK


def tell_link(url: str, issued: Issued, person: str, *, as_json: bool) -> None:
    """Print a link once; it is kept nowhere."""
    address = f"{url}/entrer/{issued.token}"
    until = issued.until.astimezone()
    if as_json:
        facts = {"event": "link", "person": person, "link": address, "code": issued.code}
        click.echo(json.dumps(facts | {"until": until.isoformat()}, ensure_ascii=False))
        return
    click.echo(f"Lien pour {person}, bon une fois, jusqu'au {until:%Y-%m-%d %H:%M} :\n  {address}")
    if issued.code:
        click.echo(f"Code, à dire de vive voix : {issued.code[:3]} {issued.code[3:]}")
