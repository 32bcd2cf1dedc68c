"""`releve vault`: make it, serve it, see how it stands; the other commands are in their modules."""

import asyncio
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from releve.adapters.durable import write
from releve.adapters.system import log_to_stderr
from releve.adapters.vault import scrub as scrubbing
from releve.adapters.vault import view as viewing
from releve.adapters.vault.layout import GIB, Config, Layout
from releve.apps.vault.access import VaultNameError
from releve.apps.vault.copy_cli import copy
from releve.apps.vault.deciders import agreement, approver
from releve.apps.vault.head_places import need_places
from releve.apps.vault.keeping import keep, schedule, unit
from releve.apps.vault.leaving import leave
from releve.apps.vault.look import clock, head, receipts, scrub, view
from releve.apps.vault.opened import Vault, only_gate, only_writer
from releve.apps.vault.reporting import report_to, reporting_line
from releve.apps.vault.retaining import Retaining
from releve.apps.vault.retention_cli import approve, forecast_, retention
from releve.apps.vault.rights import credential
from releve.apps.vault.sealing import seal
from releve.apps.vault.show import Size, data_option, json_option, size, tell, when
from releve.apps.vault.standing import standing
from releve.flow.vault.names import is_word
from releve.model.errors import UsageError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.group()
def vault() -> None:
    """Le coffre : recevoir, ne jamais effacer, prouver.

    The vault: a gate before an append-only store. It receipts every object before it says yes, shows any
    repository as of any time without a key, and checks its whole store.
    """
    log_to_stderr()


for command in (credential, approver, agreement, receipts, head, view, scrub, clock):
    vault.add_command(command)
vault.add_command(report_to)
vault.add_command(leave)
for command in (retention, approve, forecast_, copy, standing, seal, keep, schedule, unit):
    vault.add_command(command)


@vault.command()
@click.option("--name", help="Nom du coffre (d'abord : celui de la machine).")
@click.option(
    "--head-place",
    "places",
    multiple=True,
    help="Dossier ou URL qui reçoit les têtes ; ceux qui sont dits remplacent les autres.",
)
@click.option("--server-url", help="Serveur Relève : têtes, avis et état y vont aussi.")
@click.option(
    "--server-token-file",
    type=click.Path(dir_okay=False),
    help="Jeton de `releve server vault add` ; ou des lignes STRUCTURE JETON.",
)
@click.option(
    "--server-authority",
    type=click.Path(dir_okay=False),
    help="Autorité du serveur (PEM), si elle est à lui.",
)
@click.option("--reserve", type=Size(), help="Place jamais remplie (d'abord : 2G).")
@click.option("--notice-command", help="Programme lancé à chaque avis (stdin : JSON).")
@data_option
@json_option
def init(
    name: str | None,
    places: tuple[str, ...],
    server_url: str | None,
    server_token_file: str | None,
    server_authority: str | None,
    reserve: int | None,
    notice_command: str | None,
    data: str,
    *,
    as_json: bool,
) -> None:
    """Créer le coffre, ou changer sa configuration. À refaire sans risque.

    Makes the vault, or changes its configuration; what is not said stays as it was (an empty word
    takes it away), and so does what it holds. A folder for the heads has to be there: it is never
    made, for a disk that is not mounted would look like one.

    Example: releve vault init --data /srv/coffre --head-place /mnt/usb/tetes
    """
    layout = Layout(data)
    is_new = not layout.config_file.exists()
    first = Config(name=name or socket.gethostname().lower(), reserve_bytes=2 * GIB)
    before = first if is_new else layout.config()
    said: dict[str, object] = {
        "name": name,
        "head_places": _head_places(places) if places else None,
        "server_url": server_url and server_url.rstrip("/"),
        "server_token_file": _absolute(server_token_file),
        "server_authority_file": _absolute(server_authority),
        "reserve_bytes": reserve,
        "notice_command": None if notice_command is None else tuple(filter(None, [notice_command])),
    }
    changes = {key: value for key, value in said.items() if value is not None}
    made = msgspec.structs.replace(before, **changes)
    if not is_word(made.name):
        raise VaultNameError(made.name, "it is not of the allowed form")
    need_places(made.head_places, () if is_new else before.head_places)
    layout.make()
    with only_writer(layout):
        layout.save_config(made)
    public = layout.key().public_key().public_bytes_raw().hex()
    write(layout.data / "head.pub", (public + "\n").encode())
    Vault(data)
    facts = {"event": "init", "data": str(layout.data), "new": is_new, "public_key": public}
    words = "Coffre créé" if is_new else "Configuration écrite"
    tell(facts, f"{words} : {layout.data}\nClé des têtes : {public}", as_json=as_json)
    _say_room(layout, made)


@vault.command()
@click.option("--listen", default="127.0.0.1:8440", show_default=True, help="ADRESSE:PORT.")
@click.option("--tls/--no-tls", default=None, help="Défaut : TLS, sauf sur la machine même.")
@click.option("--certificate", default="", help="Chaîne et clé (PEM) ; sinon une autorité à nous.")
@click.option("--host-name", "names", multiple=True, help="Autre nom du coffre, au certificat.")
@data_option
@json_option
def serve(
    listen: str,
    tls: bool | None,
    certificate: str,
    names: tuple[str, ...],
    data: str,
    *,
    as_json: bool,
) -> None:
    """Ouvrir la porte du coffre, jusqu'à SIGTERM / serve until SIGTERM.

    Prints its address when it answers. What a crash left is put right first, and said.

    Example: releve vault serve --listen 0.0.0.0:8440
    """
    from releve.apps.vault.serving_certificate import own_certificate, without_own_authority
    from releve.apps.vault.wiring import Running

    host, _, port = listen.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    is_secure = bool(certificate) or (host not in _LOOPBACK if tls is None else tls)
    if not is_secure and host not in _LOOPBACK:
        raise UsageError(f"{listen} is not loopback: it needs TLS.")
    opened = Vault(data)
    with only_gate(opened.layout), _listener(host, port) as listener:
        Retaining(opened).resume()  # before heal: what is half-way out is not missing
        healed = opened.heal()
        halves = viewing.clean_halves(opened.layout)
        if certificate:
            without_own_authority(opened.layout)
        elif is_secure:
            certificate = own_certificate(opened.layout, host, names)
        shown = names[0] if names else host
        scheme = "https" if is_secure else "http"
        url = f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{listener.getsockname()[1]}/"
        facts = {"event": "serving", "url": url, **msgspec.to_builtins(healed)}
        facts["half_views"] = len(halves)
        running = Running(opened)
        asyncio.run(
            running.serve(
                listener,
                certificate,
                ready=lambda: _say(facts, f"Coffre : {url}", as_json=as_json),
            )
        )


@vault.command()
@data_option
@json_option
def status(data: str, *, as_json: bool) -> None:
    """Comment va le coffre / how the vault stands.

    Example: releve vault status --json
    """
    opened = Vault(data)
    layout, book = opened.layout, opened.book
    disk, last = shutil.disk_usage(layout.repos), scrubbing.load(layout)
    for told in book.generations():
        if not told.dropped_ns:
            line = f"{told.repository!s:40} {size(told.bytes):>10}  dernier instantané {when(told.last_snapshot_ns)}"
            facts = {"event": "generation", "name": str(told.repository)}
            tell(facts | msgspec.to_builtins(told), line, as_json=as_json)
    for told_of, report in opened.reports.all().items():
        if told_of in opened.server.tokens:
            tell(
                {"event": "reporting", "structure": told_of, **msgspec.to_builtins(report)},
                reporting_line(told_of, report),
                as_json=as_json,
            )
    free = {"disk_bytes": disk.total, "free_bytes": disk.free}
    whole: dict[str, object] = {
        "event": "vault",
        "name": opened.config.name,
        "entries": book.seq,
        "head": opened.journal.end.hash,
        "wall_ahead_s": round(opened.clock.ahead_ns() / 1e9, 3),
        "views": len(opened.views.all()),
        "scrub": msgspec.to_builtins(msgspec.structs.replace(last, passes=())) if last else None,
        **free,
    }
    scrubbed = (
        f"{size(last.bytes)}, {len(last.bad)} mauvais, {when(last.ended_ns)}" if last else "jamais"
    )
    words = (
        f"{book.seq} entrées ; libre {size(disk.free)} sur {size(disk.total)} ; relu : {scrubbed}"
    )
    tell(whole, words, as_json=as_json)


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else path


def _head_places(said: Sequence[str]) -> tuple[str, ...]:
    return tuple(p if "://" in p else str(Path(p).absolute()) for p in said if p)


def _say_room(layout: Layout, config: Config) -> None:
    """A disk that is fuller than the reserve allows takes nothing: known now, not at the first backup."""
    free = shutil.disk_usage(layout.data).free
    if free <= config.reserve_bytes:
        said = (
            f"Attention : {size(free)} libres sur ce disque, et {size(config.reserve_bytes)} ne sont"
            " jamais remplis : ce coffre ne recevra rien. Donner un plus grand disque, ou --reserve."
        )
        click.echo(said, err=True)


def _say(facts: dict[str, object], text: str, *, as_json: bool) -> None:
    tell(facts, text, as_json=as_json)
    sys.stdout.flush()


def _listener(host: str, port: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle off only then, and each small answer would wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen(1024)
    except (OSError, OverflowError, ValueError) as error:
        listener.close()
        raise UsageError(f"{host}:{port} cannot be listened on ({error}).") from error
    return listener
