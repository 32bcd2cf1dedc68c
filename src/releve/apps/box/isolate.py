"""`releve isolate` and `releve release`: the host cut from the network, and back."""

import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from releve.adapters.durable import write
from releve.adapters.linux.nft import NftIsolator
from releve.apps.box.errors import BoxRootError, ServerLinkError
from releve.apps.box.home import DEFAULT_HOME, read
from releve.apps.box.host import HostConfig, host_isolation, message, start_dead_man
from releve.apps.box.unit import resume_unit
from releve.flow.isolation import (
    DEFAULT_HOURS,
    Endpoint,
    HostIsolation,
    IsolationRecord,
    IsolationRequest,
    IsolationState,
    seconds_of,
)

_HTTPS = 443
_HOME = click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=DEFAULT_HOME,
    show_default=True,
    envvar="RELEVE_BOX_HOME",
)
_NETNS = click.option("--netns", help="Espace réseau (essais). / Network namespace, for tests.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Un objet JSON. / One JSON object.")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the commands say."""

    isolated: bool
    seconds_left: int
    record: IsolationRecord | None = None
    undo: str = "releve release"
    rules: str = ""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The words of one call of `releve isolate`."""

    servers: tuple[str, ...]
    without_server: bool
    hours: float
    minutes: float | None
    reason: str
    approved_by: str
    home: Path
    netns: str | None

    def seconds(self) -> int:
        """How long. Raises: HoursError."""
        return seconds_of(self.hours if self.minutes is None else self.minutes / 60)


@click.command()
@click.option("--server", "servers", multiple=True, help="ADRESSE:PORT, gardé. / Kept reachable.")
@click.option("--without-server", is_flag=True, help="Couper aussi le serveur. / Cut it as well.")
@click.option("--hours", type=float, default=DEFAULT_HOURS, show_default=True)
@click.option("--minutes", type=float, help="Au lieu de --hours. / Instead of --hours.")
@click.option("--reason", default="", help="Motif, montré sur la machine. / Shown on the machine.")
@click.option("--care-approved-by", "approved_by", default="", help="Qui répond des soins.")
@click.option("--renew", "mode", flag_value="renew", help="Prolonger. / Start the time anew.")
@click.option("--status", "mode", flag_value="status", help="Dire l'état. / Say what is.")
@click.option("--plan", "mode", flag_value="plan", help="Montrer sans faire. / Show, do nothing.")
@click.option("--resume", "mode", flag_value="resume", help="Au démarrage. / After a restart.")
@click.option("--unit", "mode", flag_value="unit", help="L'unité systemd de --resume. / Its unit.")
@click.option("--configure", "mode", flag_value="configure", help="Retenir --server, --care-role.")
@click.option("--care-role", help="Avec --configure : le soin que cette machine porte.")
@click.option("--yes", is_flag=True, help="Ne pas demander. / Do not ask.")
@_HOME
@_NETNS
@_JSON
def isolate(
    *, mode: str | None, care_role: str | None, yes: bool, as_json: bool, **words: object
) -> None:
    """Couper cette machine du réseau ; le lien au serveur reste, et la coupure finit seule.

    Cut this machine from the network. The server stays reachable; the kernel itself ends the cut
    after --hours unless it is renewed. A machine with a care role is cut only with
    --care-approved-by. Undo: `releve release`. Without --hours: 4. Root only.
    """
    if os.geteuid() != 0:
        raise BoxRootError
    wish = msgspec.convert(words, Wish)
    if mode == "unit":
        click.echo(resume_unit(wish.home.absolute()), nl=False)
        return
    wish.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if mode == "configure":
        _configure(wish, care_role, as_json=as_json)
        return
    driver = host_isolation(wish.home, netns=wish.netns)
    if mode in {"status", "renew", "resume"}:
        _follow_up(driver, wish, mode, as_json=as_json)
        return
    request = _request(wish)
    if mode == "plan":
        _plan(request, as_json=as_json)
        return
    if sys.stdin.isatty() and not yes:
        kept = ", ".join(wish.servers) or "aucun lien / no link"
        click.confirm(
            f"Couper cette machine du réseau ({wish.seconds() / 3600:.3g} h, gardé : {kept}) ?",
            abort=True,
        )
    driver.isolate(request)
    start_dead_man(wish.home, netns=wish.netns)
    _show(driver, as_json=as_json)


@click.command()
@_HOME
@_NETNS
@_JSON
def release(*, home: Path, netns: str | None, as_json: bool) -> None:
    """Lever l'isolement de cette machine. / Undo `releve isolate`; harmless when not isolated."""
    if os.geteuid() != 0:
        raise BoxRootError
    was = host_isolation(home, netns=netns).release("released by command")
    text = "Isolement levé." if was else "Cette machine n'était pas isolée."
    answer = {"was_isolated": was, "isolated": False}
    click.echo(msgspec.json.encode(answer).decode() if as_json else text)


def _follow_up(driver: HostIsolation, wish: Wish, mode: str, *, as_json: bool) -> None:
    if mode == "renew":
        driver.renew(seconds=wish.seconds())
        start_dead_man(wish.home, netns=wish.netns)
    elif mode == "resume":
        if driver.resume() is not None:
            start_dead_man(wish.home, netns=wish.netns)
    else:
        driver.tidy()
    _show(driver, as_json=as_json)


def _show(driver: HostIsolation, *, as_json: bool) -> None:
    state, record = driver.status()
    answer = Answer(isolated=state.is_cut, seconds_left=state.seconds_left, record=record)
    click.echo(msgspec.json.encode(answer).decode() if as_json else _text(state, record))


def _text(state: IsolationState, record: IsolationRecord | None) -> str:
    if not state.is_cut:
        return "Cette machine n'est pas isolée. / Not isolated."
    if record is None:
        return f"Isolée encore {state.seconds_left} s, sans trace de qui. Lever : releve release"
    return message(record).rstrip()


def _plan(request: IsolationRequest, *, as_json: bool) -> None:
    rules = NftIsolator().rules(
        request.servers, seconds=request.seconds, resolvers=request.resolvers
    )
    answer = Answer(isolated=False, seconds_left=request.seconds, rules=rules)
    text = f"{rules}\n# Lever / undo: {answer.undo}"
    click.echo(msgspec.json.encode(answer).decode() if as_json else text)


def _configure(wish: Wish, care_role: str | None, *, as_json: bool) -> None:
    path = wish.home / "host.json"
    config = read(path, HostConfig) or HostConfig()
    if wish.servers:
        _endpoints(wish.servers)  # refuse now what could not be kept reachable later
        config = msgspec.structs.replace(config, servers=wish.servers)
    if care_role is not None:
        config = msgspec.structs.replace(config, care_role=care_role.strip())
    encoded = msgspec.json.encode(config)
    write(path, encoded)
    text = f"Retenu : serveurs {', '.join(config.servers) or '-'}, soin {config.care_role or '-'}"
    click.echo(encoded.decode() if as_json else text)


def _request(wish: Wish) -> IsolationRequest:
    """What is asked for, with names resolved while that is still possible.

    Raises: ServerLinkError, HoursError.
    """
    names = wish.servers
    if not names and not wish.without_server:
        names = (read(wish.home / "host.json", HostConfig) or HostConfig()).servers
    if not names and not wish.without_server:
        raise ServerLinkError("No server is named, so isolation would also cut who can lift it.")
    servers, is_named = _endpoints(names)
    return IsolationRequest(
        servers=servers,
        seconds=wish.seconds(),
        reason=wish.reason,
        approved_by=wish.approved_by,
        resolvers=_resolvers() if is_named else (),
    )


def _endpoints(names: tuple[str, ...]) -> tuple[tuple[Endpoint, ...], bool]:
    """Every address behind the names, and whether one of them needed name service."""
    found: list[Endpoint] = []
    is_named = False
    for name in names:
        host, port = _split(name)
        try:
            socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            is_named = True
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise ServerLinkError(f"{host}: no such server ({error.strerror}).") from error
        found += [Endpoint(address=str(a[4][0]), port=port) for a in answers]
    return tuple(dict.fromkeys(found)), is_named


def _split(name: str) -> tuple[str, int]:
    url = urlsplit(name if "://" in name else f"//{name}")
    try:
        host, port = url.hostname, url.port
    except ValueError as error:
        raise ServerLinkError(f"{name}: {error}.") from error
    port = port or (_HTTPS if url.scheme == "https" else None)
    if not host or not port:
        raise ServerLinkError(f"{name} is not ADDRESS:PORT.")
    return host, port


def _resolvers() -> tuple[str, ...]:
    """Name servers of this host; behind systemd-resolved, those that it asks itself."""
    for path in ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"):
        try:
            lines = Path(path).read_text().splitlines()
        except OSError:
            continue
        words = [line.split() for line in lines]
        return tuple(w[1].partition("%")[0] for w in words if w[:1] == ["nameserver"] and w[1:])
    return ()
