"""`releve server glpi`: template, set, test, show, remove. A structure's own GLPI, which gets a ticket of each call."""

import datetime as dt
import json
import ssl
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from releve.adapters.glpi import GlpiDesk
from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.structure_cli import find_structure
from releve.apps.server.written import NotOfFormError, read_written
from releve.apps.web.listening import LOOPBACK
from releve.flow.server.ports import Structure
from releve.flow.server.ticket_ports import GlpiFailed
from releve.model.errors import ReleveError
from releve.model.ticket import Glpi, Mapping

_TEMPLATE = "releve server glpi template"
# What it did, and what helps.
_WHY = {
    "unreachable": (
        "it cannot be reached",
        "Check the address, and that this server may reach it (network, firewall, is GLPI on?).",
    ),
    "tls": (
        "its certificate is not trusted",
        "Name the certificate of its authority in ca_file, or let GLPI have one that is valid.",
    ),
    "login": (
        "it refuses the tokens, or this machine's address",
        "Make both tokens anew in GLPI, and let its API client accept this machine's address.",
    ),
    "page": (
        "it answers with a web page, not as an API does",
        "The address ends in /apirest.php; switch the REST API on in GLPI (Setup, General, API).",
    ),
    "ill": (
        "it says that it has a fault of its own",
        "See GLPI's own log (files/_log/php-errors.log there); then test again.",
    ),
    "refused": (
        "it answers what its API does not say",
        "Check that it is GLPI 9.4 or newer with its REST API on, and the numbers of [mapping].",
    ),
    "gone": (
        "there is no API at this address",
        "The address ends in /apirest.php; switch the REST API on in GLPI (Setup, General, API).",
    ),
}


class GlpiFailedError(ReleveError):
    """GLPI does not do what is needed."""

    status = 67
    remedy = (
        "Check the address of apirest.php, both tokens and GLPI's API settings; then test again."
    )

    def __init__(self, url: str, why: str) -> None:
        said, remedy = _WHY[why]
        super().__init__(f"{url}: {said}.")
        self.remedy = remedy


class GlpiFileError(ReleveError):
    """The file does not describe a GLPI."""

    status = 70
    remedy = f"Start from `{_TEMPLATE}`, which explains each line."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be used: {why}.")


class GlpiMissingError(ReleveError):
    """No GLPI was set for this structure."""

    status = 71
    remedy = "Set one: `releve server glpi set FILE --structure NAME`."

    def __init__(self, structure: str) -> None:
        super().__init__(f"{structure} has no GLPI here.")


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str
    user_token_file: str
    app_token_file: str = ""
    ca_file: str = ""
    mapping: Mapping = Mapping()


@click.group()
def glpi() -> None:
    """Le GLPI d'une structure : un ticket par demande / a structure's GLPI: a ticket of each call."""


@glpi.command()
def template() -> None:
    """Un fichier à remplir, expliqué / a file to fill in, explained. Nothing else is read or made."""
    click.echo(files("releve.apps.server").joinpath("glpi.toml").read_text(), nl=False)


@glpi.command("set")
@home_option
@db_option
@click.argument("file", type=click.Path(path_type=Path))
@structure_option
@json_option
def set_(home: Path, db: str, file: Path, structure: str, as_json: bool) -> None:
    """Donner le GLPI d'une structure / name a structure's GLPI. It is tried first.

    Calls from now on become tickets; the tokens are sealed in the database, and shown nowhere.
    """
    store = open_store(Home(home), db)
    owner, now = find_structure(store, structure), SystemClock().now()
    wanted = _read(file, now)
    _try(wanted)
    with store.unit(owner.id) as unit:
        unit.put_glpi(wanted)
        unit.record(now, "admin", f"structure/{owner.id}", "set_glpi", wanted.url)
    _say(_facts(owner, wanted), as_json=as_json)


@glpi.command()
@home_option
@db_option
@structure_option
@json_option
def test(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Essayer / try: a session is opened and ended, nothing is made."""
    owner, known = _known(open_store(Home(home), db), structure)
    _try(known)
    _say(_facts(owner, known) | {"answers": True}, as_json=as_json)


@glpi.command()
@home_option
@db_option
@structure_option
@json_option
def show(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Ce qui est dit à GLPI, et ce qui attend / what is told to GLPI, and what waits."""
    store = open_store(Home(home), db)
    owner, known = _known(store, structure)
    with store.unit(owner.id, writes=False) as unit:
        tickets = unit.tickets()
    waiting = [{"request": t.request, "why": t.trouble} for t in tickets if t.trouble]
    facts = _facts(owner, known) | {"tickets": sum(t.number > 0 for t in tickets)}
    if as_json:
        _say(facts | {"waiting": waiting}, as_json=True)
        return
    _say(facts, as_json=False)
    for one in waiting:
        click.echo(f"waiting: {one['request']}: {_said(one['why'])}")


@glpi.command()
@home_option
@db_option
@structure_option
@json_option
def remove(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Ne plus rien lui dire / tell it nothing more. Its tickets stay there."""
    store = open_store(Home(home), db)
    owner, known = _known(store, structure)
    with store.unit(owner.id) as unit:
        unit.put_glpi(None)
        unit.record(SystemClock().now(), "admin", f"structure/{owner.id}", "remove_glpi", known.url)
    _say(_facts(owner, known) | {"removed": True}, as_json=as_json)


def _read(path: Path, now: dt.datetime) -> Glpi:
    """Raises: UsageError: there is no such file; GlpiFileError."""
    try:
        told = read_written(path, _File, _TEMPLATE)
    except NotOfFormError as error:
        raise GlpiFileError(path, str(error)) from error
    if why := _unfit(told.url):
        raise GlpiFileError(path, f"url: {why}")
    authority = _beside(path, "ca_file", told.ca_file)
    if authority and not _is_certificate(authority):
        raise GlpiFileError(path, f"ca_file: {told.ca_file} holds no certificate (PEM)")
    return Glpi(
        url=told.url,
        user_token=_beside(path, "user_token_file", told.user_token_file),
        app_token=_beside(path, "app_token_file", told.app_token_file),
        authority=authority,
        mapping=told.mapping,
        since=now,
    )


def _unfit(url: str) -> str:
    """Why it cannot be GLPI's address; empty: it can."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url} is no address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{url} is no address of the form https://…/apirest.php"
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        return "https:// is wanted, for the tokens travel with it"
    return ""


def _beside(path: Path, line: str, name: str) -> str:
    """What stands in a file that the line names; empty when it names none. Raises: GlpiFileError."""
    if not name and line != "user_token_file":
        return ""
    try:
        text = (path.parent / name).read_text("utf-8").strip()
    except FileNotFoundError:
        raise GlpiFileError(path, f"{line}: there is no file {name} beside it") from None
    except UnicodeDecodeError:
        raise GlpiFileError(path, f"{line}: {name} is no text") from None
    except OSError as error:
        raise GlpiFileError(path, f"{line}: {name} cannot be read: {error.strerror}") from error
    if not text or (line != "ca_file" and not _is_header(text)):
        raise GlpiFileError(path, f"{line}: {name} holds no token, in one line and nothing else")
    return text


def _is_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _is_certificate(text: str) -> bool:
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _known(store: SqlStore, name: str) -> tuple[Structure, Glpi]:
    owner = find_structure(store, name)
    with store.unit(owner.id, writes=False) as unit:
        known = unit.glpi()
    if known is None:
        raise GlpiMissingError(name)
    return owner, known


def _try(wanted: Glpi) -> None:
    try:
        GlpiDesk(wanted).close()
    except GlpiFailed as failed:
        raise GlpiFailedError(wanted.url, failed.why) from failed


def _facts(owner: Structure, known: Glpi) -> dict[str, object]:
    return {
        "structure": owner.name,
        "url": known.url,
        "mapping": msgspec.to_builtins(known.mapping),
    }


def _say(facts: dict[str, object], *, as_json: bool) -> None:
    lines = "\n".join(f"{name}: {_shown(value)}" for name, value in facts.items())
    click.echo(json.dumps(facts, ensure_ascii=False) if as_json else lines)


def _shown(value: object) -> str:
    """For a reader: a table as its lines, a list as its members."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return str(value)


def _said(why: str) -> str:
    return _WHY[why][0] if why in _WHY else why
