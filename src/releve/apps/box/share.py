"""`releve share`: this machine as a guarded file server."""

import datetime as dt
import sys
from pathlib import Path

import click
import msgspec

from releve.adapters.linux.nft import NftClientGate
from releve.adapters.linux.samba import SMB_PORTS, Clients, SambaControl
from releve.apps.box.box import Box
from releve.apps.box.errors import ShareUserError
from releve.apps.box.home import DEFAULT_HOME, Home
from releve.apps.box.smbconf import BoxConfig, Share
from releve.apps.box.unit import unit
from releve.flow.clients import BlockedClient, Client

HOME = click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=DEFAULT_HOME,
    show_default=True,
    help="État du serveur de fichiers. / State of the file server.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Un objet JSON. / One JSON object.")


class Status(msgspec.Struct, kw_only=True):
    """What `releve share status` says."""

    home: str
    running: int | None
    port: int
    shares: tuple[Share, ...]
    users: tuple[str, ...]
    clients: tuple[Client, ...]
    blocked: tuple[BlockedClient, ...]


def show(answer: object, text: str, *, as_json: bool) -> None:
    """The result on stdout: for people, or as JSON."""
    click.echo(msgspec.json.encode(answer).decode() if as_json else text)


@click.group()
def share() -> None:
    """Partager un dossier protégé avec les postes Windows et Mac, sans rien y installer.

    Makes this machine a hardened SMB file server whose folders the guard protects. The system's
    own Samba is neither read nor changed.
    """


@share.command()
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--user", "users", multiple=True, help="Qui y accède. / Who may. [all users]")
@click.option("--prepare", is_flag=True, help="Donne les droits au groupe. / Give group rights.")
@HOME
@JSON
def add(
    *, name: str, path: Path, users: tuple[str, ...], prepare: bool, home: Path, as_json: bool
) -> None:
    """Partager le dossier PATH sous le nom NAME, et le confier au gardien.

    Share PATH as NAME and put it on the guard's list (HOME/protect.d).
    """
    box = Box(Home(home))
    added = box.add_share(name, path, users=users, give=prepare)
    text = f"Partagé : \\\\{_host()}\\{added.name} ({added.path})."
    if not box.users():
        text += "\nPersonne n'y accède encore : `releve share user add NOM`."
    show(added, text, as_json=as_json)


@share.command("list")
@HOME
@JSON
def list_(*, home: Path, as_json: bool) -> None:
    """Lister les partages. / List the shares."""
    shares = Home(home).config().shares
    rows = [f"{s.name}\t{s.path}\t{', '.join(s.users) or 'tous / all'}" for s in shares]
    show(shares, "\n".join(rows) or "Aucun partage. / No share.", as_json=as_json)


@share.command()
@click.argument("name")
@HOME
@JSON
def remove(*, name: str, home: Path, as_json: bool) -> None:
    """Ne plus partager NAME ; le dossier et ses fichiers restent.

    Stop sharing; the folder and its files stay.
    """
    gone = Box(Home(home)).remove_share(name)
    show(gone, f"{gone.name} n'est plus partagé ; {gone.path} est intact.", as_json=as_json)


@share.command()
@HOME
@JSON
def status(*, home: Path, as_json: bool) -> None:
    """Dire ce qui est servi, à qui, et qui est bloqué. / What is served, to whom, who is out."""
    box = Box(Home(home))
    config = box.home.config()
    clients = _clients(box.home)
    found = Status(
        home=str(box.home.path),
        running=box.running(),
        port=config.port,
        shares=config.shares,
        users=box.users(),
        clients=clients.connected(),
        blocked=_gate(clients).blocked(),
    )
    show(found, _describe(found), as_json=as_json)


@share.command()
@click.option("--interface", "interfaces", multiple=True, help="Nom, adresse ou réseau.")
@click.option("--port", type=click.IntRange(1, 65535), help="[445]")
@HOME
def serve(*, interfaces: tuple[str, ...], port: int | None, home: Path) -> None:
    """Servir, au premier plan. / Serve in the foreground: this process becomes smbd."""
    box = Box(Home(home))
    box.serve(config=_changed(box.home.config(), interfaces, port))


@share.command("unit")
@HOME
def unit_(*, home: Path) -> None:
    """Écrire l'unité systemd. / Print the systemd unit (to /etc/systemd/system)."""
    click.echo(unit(Home(home).path), nl=False)


@share.command()
@click.argument("address")
@click.option("--hours", type=click.FloatRange(0.001, 720), default=8.0, show_default=True)
@HOME
@JSON
def block(*, address: str, hours: float, home: Path, as_json: bool) -> None:
    """Tenir un poste à l'écart du partage. / Keep one client away; the others go on."""
    box = Home(home)
    clients = _clients(box)
    gate = _gate(clients, ports=frozenset({box.config().port, 139}), hours=hours)
    server = next(iter(clients.masters()), 0)
    connected = (c for c in clients.connected() if c.address == address)
    stranger = Client.unseen(address, since=dt.datetime.now(dt.UTC), server=server)
    client = next(connected, stranger)
    held = gate.block(client)
    if client is not stranger:
        SambaControl(home=box.path, clients=clients).close(client)
    text = f"{held.address} est bloqué pour {hours:g} h. Lever : releve share unblock {address}"
    show(held, text, as_json=as_json)


@share.command()
@click.argument("address")
@HOME
@JSON
def unblock(*, address: str, home: Path, as_json: bool) -> None:
    """Laisser revenir un poste. / Let a blocked client back."""
    was = _gate(_clients(Home(home))).unblock(address)
    text = f"{address} n'est plus bloqué." if was else f"{address} n'était pas bloqué."
    show({"address": address, "was_blocked": was}, text, as_json=as_json)


@share.group()
def user() -> None:
    """Les personnes qui accèdent aux partages. / Who may use the shares."""


@user.command("add")
@click.argument("name")
@HOME
@JSON
def add_user(*, name: str, home: Path, as_json: bool) -> None:
    """Ajouter une personne, ou changer son mot de passe (entrée standard, 10 signes ou plus).

    Add a person or change a password, read from standard input or asked for.
    """
    made = Box(Home(home)).add_user(name, _password(name))
    text = f"{name} peut se connecter." + (" Compte créé, sans connexion locale." if made else "")
    show({"user": name, "account_made": made}, text, as_json=as_json)


@user.command("remove")
@click.argument("name")
@HOME
@JSON
def remove_user(*, name: str, home: Path, as_json: bool) -> None:
    """Retirer une personne ; ses fichiers restent. / Remove a person; the files stay."""
    Box(Home(home)).remove_user(name)
    show({"user": name}, f"{name} ne peut plus se connecter.", as_json=as_json)


@user.command("list")
@HOME
@JSON
def list_users(*, home: Path, as_json: bool) -> None:
    """Lister les personnes. / List the people."""
    users = Box(Home(home)).users()
    show(users, "\n".join(users) or "Personne. / Nobody.", as_json=as_json)


def _clients(home: Home) -> Clients:
    """Who is connected at this moment."""
    clients = Clients(home=home.path, ports=frozenset({home.config().port}))
    clients.poll()
    return clients


def _gate(
    clients: Clients, *, ports: frozenset[int] = SMB_PORTS, hours: float = 8.0
) -> NftClientGate:
    """The gate of every network in which a file server listens."""
    gate = NftClientGate(ports=ports, hours=hours)
    for server in clients.masters():
        gate.include(server)
    return gate


def _password(name: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Mot de passe", hide_input=True, confirmation_prompt=True))
    typed = sys.stdin.readline().rstrip("\r\n")
    if not typed:
        raise ShareUserError(name, "no password on standard input")
    return typed


def _changed(config: BoxConfig, interfaces: tuple[str, ...], port: int | None) -> BoxConfig:
    return msgspec.structs.replace(
        config, interfaces=interfaces or config.interfaces, port=port or config.port
    )


def _host() -> str:
    return Path("/proc/sys/kernel/hostname").read_text().strip()


def _describe(found: Status) -> str:
    lines = [
        f"Serveur : {'en marche' if found.running else 'arrêté'} (port {found.port})",
        *(f"Partage {s.name} : {s.path}" for s in found.shares),
        f"Personnes : {', '.join(found.users) or 'aucune'}",
        *(f"Connecté : {c.address} {c.user} ({c.machine})" for c in found.clients),
        *(f"Bloqué : {b.address} {b.user}, encore {b.seconds_left} s" for b in found.blocked),
    ]
    return "\n".join(lines)
