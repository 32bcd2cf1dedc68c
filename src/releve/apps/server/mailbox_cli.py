"""`releve server mailbox`: set, test, show, remove. The mailbox to which people write for help."""

import json
from pathlib import Path

import click

from releve.adapters.mail.way import way_of
from releve.adapters.system import SystemClock
from releve.apps.server.home import Home
from releve.apps.server.mailbox import MailboxFile, path_in, read_mailbox, write_mailbox
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.flow.server.mail_ports import MailFailed
from releve.model.errors import ReleveError, UsageError
from releve.model.mail import MailboxState

_WHY = {
    "unreachable": "it cannot be reached",
    "tls": "its certificate is not trusted, or TLS failed",
    "login": "it refuses the login or the password",
    "password": "the password's file cannot be read",
    "refused": "it refused what was asked",
}


class MailboxFailedError(ReleveError):
    """The mail server does not do what is needed."""

    status = 61
    remedy = "Check address, login, password file and --ca; then `releve server mailbox test`."

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {_WHY.get(why, why)}.")


class MailboxMissingError(ReleveError):
    """No mailbox was set on this server."""

    status = 62
    remedy = "Set one: `releve server mailbox set --imap … --smtp … --address … --password-file …`."

    def __init__(self, home: Path) -> None:
        super().__init__(f"The server in {home} reads no mailbox.")


@click.group()
def mailbox() -> None:
    """La boîte aux lettres des demandes d'aide / the mailbox to which people write for help."""


@mailbox.command("set")
@home_option
@db_option
@click.option("--imap", required=True, help="imaps://LOGIN@HOST[:PORT][/FOLDER]")
@click.option("--smtp", required=True, help="smtps://LOGIN@HOST[:PORT], for the answers.")
@click.option("--address", required=True, help="The address that people write to.")
@click.option(
    "--password-file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def set_(
    home: Path,
    db: str,
    imap: str,
    smtp: str,
    address: str,
    password_file: Path,
    ca: Path | None,
    as_json: bool,
) -> None:
    """Lire cette boîte / read this mailbox. It is tried first; mails of before become no calls.

    Who is known: the contacts of each structure's profile that have an address.
    """
    try:
        way_of(imap, kind="imap")
        way_of(smtp, kind="smtp")
    except ValueError as error:
        raise UsageError(str(error)) from error
    if "@" not in address:
        raise UsageError("--address is an address: aide@example.fr")
    store, now = open_store(Home(home), db), SystemClock().now()
    wanted = MailboxFile(
        imap=imap,
        smtp=smtp,
        address=address,
        password_file=str(password_file.resolve()),
        authority=str(ca.resolve()) if ca else "",
    )
    validity, last = _try(wanted)
    if store.mailbox(wanted.key) is None:
        store.put_mailbox(wanted.key, MailboxState(validity=validity, uid=last, looked_at=now))
    write_mailbox(home, wanted)
    _say(_facts(wanted), as_json=as_json)


@mailbox.command()
@home_option
@json_option
def test(home: Path, as_json: bool) -> None:
    """Essayer la boîte et l'envoi / try reading and sending; no mail is sent."""
    known = _known(home)
    _try(known)
    _say(_facts(known) | {"reads": True, "sends": True}, as_json=as_json)


@mailbox.command()
@home_option
@db_option
@json_option
def show(home: Path, db: str, as_json: bool) -> None:
    """La boîte, son état, et les courriels sans suite / the mailbox, its state, mails that are no call.

    These stay in the mailbox: read them there. Here stand their sender, time and why, for 30 days.
    """
    known, store = _known(home), open_store(Home(home), db)
    state = store.mailbox(known.key)
    strays = [
        {"arrived_at": s.arrived_at.isoformat(), "sender": s.sender, "why": s.why, "bytes": s.size}
        for s in store.strays()
    ]
    facts = _facts(known) | {
        "looked_at": state.looked_at.isoformat() if state else None,
        "trouble": state.trouble if state else "",
        "strays": strays,
    }
    _say(facts, as_json=as_json)


@mailbox.command()
@home_option
@json_option
def remove(home: Path, as_json: bool) -> None:
    """Ne plus la lire / read it no more. Its mails and the calls stay."""
    known = _known(home)
    path_in(home).unlink()
    _say(_facts(known) | {"removed": True}, as_json=as_json)


def _known(home: Path) -> MailboxFile:
    known = read_mailbox(home)
    if known is None:
        raise MailboxMissingError(home)
    return known


def _try(wanted: MailboxFile) -> tuple[int, int]:
    """(validity, last uid) as they are now."""
    try:
        letters = wanted.letters()
        found = (letters.validity, letters.last_uid())
        letters.close()
    except MailFailed as failed:
        raise MailboxFailedError("IMAP", failed.why) from failed
    try:
        wanted.postman().check()
    except MailFailed as failed:
        raise MailboxFailedError("SMTP", failed.why) from failed
    return found


def _facts(known: MailboxFile) -> dict[str, object]:
    return {"imap": known.imap, "smtp": known.smtp, "address": known.address}


def _say(facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    strays = facts.pop("strays", [])
    for name, value in facts.items():
        click.echo(f"{name}: {value}")
    for stray in strays if isinstance(strays, list) else []:
        click.echo("  ".join(map(str, stray.values())))
