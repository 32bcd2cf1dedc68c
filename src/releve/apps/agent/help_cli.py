"""`releve help ask`: call whoever is on duty, from this machine."""

import json
from pathlib import Path

import anyio
import click

from releve.adapters.http.client import HttpServer
from releve.adapters.system import log_to_stderr, new_id
from releve.apps.agent import wiring
from releve.apps.agent.cli import ServerUnreachableError
from releve.apps.agent.config import Home
from releve.apps.agent.options import home_option, json_option
from releve.flow.agent.ports import TemporaryError
from releve.flow.wire import HelpAsk, HelpTold
from releve.model.errors import ReleveError

_LOOK_AGAIN_SECONDS = 2.0
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
        raise ServerUnreachableError(config.url, str(error)) from error
    finally:
        await server.close()
    return told


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
