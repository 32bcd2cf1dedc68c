"""`releve help`: ask for help from this machine; install its help page."""

import json
from pathlib import Path

import anyio
import click
import msgspec

from releve.adapters.help_pad import HelpPad
from releve.adapters.http.client import HttpServer
from releve.adapters.system import log_to_stderr, new_id
from releve.apps.agent import wiring
from releve.apps.agent.config import Home
from releve.apps.agent.enrolling import ServerUnreachableError
from releve.apps.agent.options import home_option, json_option
from releve.apps.web.links import need_pages
from releve.flow.agent.ports import TemporaryError
from releve.flow.wire import HelpAsk, HelpTold
from releve.model.errors import ReleveError

_LOOK_AGAIN_SECONDS = 2.0
_PORT = 847  # below 1024 only root listens: while the agent is down nobody can pose as the page
_APPLICATIONS = Path("/usr/share/applications")
_ENTRY = """[Desktop Entry]
Type=Application
Name=Aide (Relève)
Name[en]=Help (Relève)
Comment=Demander de l’aide à l’astreinte
Comment[en]=Ask whoever is on duty for help
Exec=xdg-open {url}
Icon=help-browser
Categories=Utility;
Terminal=false
"""
_RINGING = "ringing"


class NobodyCameError(ReleveError):
    """Everybody on duty was rung, or the wait is over, and nobody took the call."""

    status = 59
    remedy = "Call somebody yourself: see the numbers above, or your printed sheet."

    def __init__(self) -> None:
        super().__init__("Nobody has taken the call yet.")


@click.group("help")
def help_() -> None:
    """Demander de l'aide / ask for help, for any trouble."""
    log_to_stderr()


@help_.command()
@click.argument("text")
@home_option
@click.option("--phone", default="", help="The number to call back.")
@click.option("--blocked", is_flag=True, help="Care is at a standstill.")
@click.option("--wait", "seconds", type=click.IntRange(0, 3600), default=0, help="Seconds to wait.")
@json_option
def ask(text: str, home: Path, phone: str, blocked: bool, seconds: int, as_json: bool) -> None:
    """Appeler l'astreinte / call whoever is on duty. Write no patient's name.

    With --wait it says who comes, as soon as somebody does.
    """
    place = Home(home)
    config = place.config()
    told = anyio.run(_ask, place, text, phone, blocked, seconds)
    if as_json:
        facts = {
            "request": told.request,
            "phase": told.phase,
            "rung": told.rung,
            "comes": told.comes,
            "phones": told.phones,
        }
        click.echo(json.dumps(facts))
    else:
        click.echo(_said(told, config.url))
    if seconds and not told.comes:
        raise NobodyCameError


@help_.command()
@home_option
@click.option("--port", type=click.IntRange(1, 65535), default=_PORT, show_default=True)
@click.option(
    "--applications",
    type=click.Path(path_type=Path, file_okay=False),
    default=_APPLICATIONS,
    show_default=True,
    help="Where this desktop looks for programs.",
)
@json_option
def install(home: Path, port: int, applications: Path, as_json: bool) -> None:
    """Mettre la page d'aide sur cette machine / give this machine its help page, and a menu entry.

    The agent serves it on loopback only, from its next start on.
    """
    need_pages()
    place, url = Home(home), f"http://127.0.0.1:{port}/"
    place.write_config(msgspec.structs.replace(place.config(), help_port=port))
    applications.mkdir(parents=True, exist_ok=True)
    entry = applications / "releve-aide.desktop"
    entry.write_text(_ENTRY.format(url=url), encoding="utf-8")
    entry.chmod(0o644)
    if as_json:
        click.echo(json.dumps({"url": url, "entry": str(entry)}))
    else:
        click.echo(f"{url}\n{entry}\nRedémarrez l'agent / restart the agent.")


async def _ask(place: Home, text: str, phone: str, blocked: bool, seconds: int) -> HelpTold:
    config = place.config()
    server = wiring.open_server(place, config)
    wanted = HelpAsk(id=new_id(), text=text, is_blocked=blocked, phone=phone, at=server.now())
    try:
        told = await server.ask_help(wanted)
        with anyio.move_on_after(seconds):
            while told.phase == _RINGING and seconds:
                await anyio.sleep(_LOOK_AGAIN_SECONDS)
                told = await _again(server, wanted, told)
    except TemporaryError as error:
        raise _not_sent(place, config.url, str(error)) from error
    finally:
        await server.close()
    return told


def _not_sent(place: Home, url: str, why: str) -> ServerUnreachableError:
    """With whom to call oneself, as the help page heard it last."""
    state = HelpPad(place.help).load().state
    phones = state.phones if state else ()
    numbers = ", ".join(phones)
    error = ServerUnreachableError(url, why)
    paper, paper_fr = "the numbers on the printed sheet", "les numéros de la fiche imprimée"
    error.remedy = f"It was not sent: call yourself, then try again. {numbers or paper}."
    error.remedy_fr = (
        f"L'appel n'est pas parti : appeler soi-même, puis réessayer. {numbers or paper_fr}."
    )
    return error


async def _again(server: HttpServer, wanted: HelpAsk, told: HelpTold) -> HelpTold:
    """How far it is now; as before while the server cannot be reached: the call is kept there."""
    try:
        return await server.ask_help(wanted)
    except TemporaryError:
        return told


def _said(told: HelpTold, url: str) -> str:
    words = [f"Demande / call {told.request} ({url}/help/{told.request})"]
    if told.comes:
        words.append(f"{told.comes} s'en occupe / takes care of it.")
    elif told.rung:
        words.append(f"Appelés / rung: {', '.join(told.rung)}")
    words += [f"Téléphone / phone: {phone}" for phone in told.phones]
    return "\n".join(words)
