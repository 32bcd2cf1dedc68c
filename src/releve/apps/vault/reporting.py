"""`releve vault report-to`: which server hears of one structure's vault, from what onboarding wrote."""

from pathlib import Path
from typing import IO

import click
import msgspec

from releve.adapters.durable import write
from releve.adapters.vault.layout import Config, Layout
from releve.adapters.vault.reports import Report
from releve.adapters.vault.server import read_tokens
from releve.apps.vault.access import check_name
from releve.apps.vault.opened import only_writer
from releve.apps.vault.show import data_option, json_option, tell, when
from releve.model.errors import UsageError
from releve.model.installer import ServerLink

_link = msgspec.json.Decoder(ServerLink).decode


@click.command("report-to")
@click.argument("source", metavar="FILE|-", type=click.File("rb"))
@data_option
@json_option
def report_to(source: IO[bytes], data: str, *, as_json: bool) -> None:
    """Le serveur qui entend ce coffre, pour une structure / who hears of it. À refaire sans risque.

    The file is one that `releve onboard` wrote, with the structure's token. What `vault init` was
    told stays; the gate heeds it from its next start on.

    Example: releve vault report-to - --data /srv/coffre < serveur.json
    """
    try:
        link = _link(source.read())
    except msgspec.DecodeError as error:
        raise UsageError(f"This is not what `releve onboard` wrote: {error}.") from error
    check_name(link.structure)
    layout = Layout(data)
    layout.config()
    with only_writer(layout):  # of two at once, the second sees what the first wrote
        is_new = _tell(layout, link)
    words = "Redémarrer la porte : elle rendra compte" if is_new else "Déjà réglé : il rend compte"
    facts = {"event": "report_to", "url": link.url, "structure": link.structure, "new": is_new}
    tell(facts, f"{words} de {link.structure} à {link.url}", as_json=as_json)


def reporting_line(structure: str, report: Report) -> str:
    """What `releve vault status` says where the server does not take what is told of a structure."""
    whose, since = structure or "ce coffre", when(report.since_ns)
    if report.is_gone:
        line = (
            f"{whose} : le serveur ne la connaît plus depuis le {since} (partie, ou coffre retiré) :"
            " ce coffre n'en rend plus compte."
        )
        return (
            f"{line}\n  Si elle est partie : releve vault leave {structure}" if structure else line
        )
    return (
        f"{whose} : le serveur ne prend pas ce que ce coffre en dit, depuis le {since}."
        f"\n  Détail technique : {report.why}"
        f"\n  {_REMEDY.get(report.why, _UNREACHED)}"
    )


_REMEDY = {
    "HTTP 401": "Jeton inconnu du serveur : releve server vault add là-bas, puis son jeton ici"
    " (docs/vault.md) ; si la structure est partie : releve vault leave NOM.",
}
_UNREACHED = "Voir l'adresse et l'autorité du serveur : releve vault init --help."


def _tell(layout: Layout, link: ServerLink) -> bool:
    """Whether anything is new; nobody else writes meanwhile. Raises: UsageError."""
    before = layout.config()
    if before.server_url and before.server_url != link.url:
        raise UsageError(f"This vault tells {before.server_url} already; it tells one server.")
    after = msgspec.structs.replace(before, server_url=link.url)
    after, is_new = _with_token(layout, after, link)
    after = _with_authority(layout, after, link)
    if after != before:
        layout.save_config(after)
    return is_new or after != before


def _with_token(layout: Layout, config: Config, link: ServerLink) -> tuple[Config, bool]:
    """Raises: UsageError: one token for all structures is kept there."""
    file = Path(config.server_token_file or layout.data / "server.tokens")
    text = file.read_text() if file.exists() else ""
    tokens = read_tokens(text)
    if tokens.get(link.structure) == link.token:
        return msgspec.structs.replace(config, server_token_file=str(file)), False
    if "" in tokens:
        raise UsageError(f"{file} holds one token for all; write lines `STRUCTURE TOKEN` instead.")
    others = [line for line in text.splitlines() if line.split()[:1] != [link.structure]]
    lines = (*others, f"{link.structure} {link.token}")
    write(file, ("\n".join(lines) + "\n").encode())
    return msgspec.structs.replace(config, server_token_file=str(file)), True


def _with_authority(layout: Layout, config: Config, link: ServerLink) -> Config:
    if not link.authority or config.server_authority_file:
        return config
    file = layout.data / "server-authority.pem"
    write(file, link.authority.encode())
    return msgspec.structs.replace(config, server_authority_file=str(file))
