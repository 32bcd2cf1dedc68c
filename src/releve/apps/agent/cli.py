"""`releve agent`: enrol, run, status, feed, names."""

import json
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import anyio
import click
import msgspec

from releve.adapters.contact_file import HomeContactFile
from releve.adapters.process.guards import ProcessGuards
from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.agent import wiring
from releve.apps.agent.config import Config, Home
from releve.apps.agent.enrolling import Joining, ServerUnreachableError, join
from releve.apps.agent.options import home_option as _home
from releve.apps.agent.options import json_option as _json
from releve.apps.agent.showing import Shown, answers, fault, knows_agent, shown
from releve.flow.agent.guard_words import differences, words_of
from releve.flow.agent.ports import TemporaryError
from releve.model.errors import ReleveError

_STOP_SECONDS = 30.0


class GuardStaysError(ReleveError):
    """The guard that runs with other options did not end, so the new ones cannot be used."""

    status = 55
    remedy = (
        "It may be rolling back: look at `releve guard status`, then run the same command again. With"
        " --keep-guard the agent takes the running guard over as it is."
    )

    def __init__(self, pid: int) -> None:
        super().__init__(f"The guard {pid} was asked to end and still runs.")


@click.group()
def agent() -> None:
    """L'agent de cette machine / this machine's agent.

    Il surveille le gardien, garde les événements sur disque, obéit aux ordres signés du serveur.
    """
    log_to_stderr()


@agent.command()
@_home
@click.option("--token", required=True, help="What `releve server token create` printed.")
@click.option("--server", "url", default="", help="Another address of the same server.")
@click.option("--name", default="", help="This host's name in the console.")
@click.option("--care/--no-care", default=True, show_default=True, help="It carries care.")
@click.option("--care-role", default="", help='Which care: "dossier patient", "imagerie"...')
@click.option("--guard", default="", help="Words for `releve guard run`, as one string.")
@click.option("--backup", default="", help="Words for `releve backup run`, as one string.")
@click.option(
    "--demonstration",
    is_flag=True,
    help="What it tells is a simulation's (`agent feed`): it obeys no order, and says so.",
)
@click.option("--label", "labels", multiple=True, help="FOLDER=NAME: a name that may be told.")
@_json
def enrol(  # click hands every option over by its name
    home: Path,
    token: str,
    url: str,
    name: str,
    care: bool,
    care_role: str,
    guard: str,
    backup: str,
    demonstration: bool,
    labels: tuple[str, ...],
    as_json: bool,
) -> None:
    """Relier cette machine à sa structure / enrol this machine."""
    made = join(
        Home(home),
        token,
        Joining(
            url=url, name=name, carries_care=care, care_role=care_role, guard=shlex.split(guard),
            backup=shlex.split(backup), is_demonstration=demonstration,
            labels=dict(pair.split("=", 1) for pair in labels if "=" in pair),
        ),
    )  # fmt: skip
    facts = {"structure": made.structure, "host": made.host, "name": made.host_name}
    words = f"{made.host_name} est relié à {made.structure_name} / is enrolled ({made.host})."
    _say(as_json, facts, words)


@agent.command()
@_home
@click.option("--server", "url", default="", help="Another address of the same server, this time.")
@click.option("--guard", default=None, help="Words for `releve guard run`, kept from now on.")
@click.option("--keep-guard", is_flag=True, help="Take a running guard over as it is.")
@click.option("--backup", default=None, help="Words for `releve backup run`, kept from now on.")
@click.option("--backup-every", type=float, default=None, help="Seconds between backups, kept.")
@click.option("--heartbeat", type=float, default=None, help="Seconds between heartbeats, kept.")
@_json
def run(
    home: Path,
    url: str,
    guard: str | None,
    keep_guard: bool,
    backup: str | None,
    backup_every: float | None,
    heartbeat: float | None,
    as_json: bool,
) -> None:
    """Travailler jusqu'à SIGTERM / work until SIGTERM. The guard goes on after the agent.

    A guard that runs already is taken over. If it runs with other options than those kept here, it
    is ended cleanly and started again with these; --keep-guard leaves it as it is.
    """
    place = Home(home)
    config = place.config()
    kept = {
        "guard": None if guard is None else tuple(shlex.split(guard)),
        "backup": None if backup is None else tuple(shlex.split(backup)),
        "backup_every_seconds": backup_every,
        "heartbeat_seconds": heartbeat,
    }
    changed = {name: value for name, value in kept.items() if value is not None}
    if changed:
        config = msgspec.structs.replace(config, **changed)
        place.write_config(config)
    if url:
        # Another address, never another server: answers are checked with the pinned key.
        config = msgspec.structs.replace(config, url=url.rstrip("/"))
    with wiring.only_agent(place):
        guarding, words = _take_over(place, config, keep=keep_guard)
        facts = {"host": config.host, "server": config.url, "pid": os.getpid(), "guard": guarding}
        said = f"L'agent de {config.host_name} travaille / works ({config.url})."
        _say(as_json, facts, "\n".join((*words, said)))
        sys.stdout.flush()
        anyio.run(wiring.run, place, config)


def _take_over(
    place: Home, config: Config, *, keep: bool
) -> tuple[dict[str, object], tuple[str, ...]]:
    """What becomes of a guard that runs: facts and sentences. Raises: GuardStaysError."""
    guards = ProcessGuards(place.guard, ())
    state = guards.status()
    if state is None or not state.running:
        return {"running": False}, ()
    facts: dict[str, object] = {"running": True, "pid": state.pid}
    if not config.guard:
        words = f"Un gardien tourne ({state.pid}), et aucun n'est demandé ici : il n'est pas suivi."
        return {**facts, "did": "left"}, (words, "Releve guards on; end it: agent stop-guard.")
    wanted = words_of(wiring.guard_command(config))
    differs = differences(words_of(guards.command()), wanted)
    facts["differs"] = differs
    if not differs:
        words = f"Le gardien {state.pid} tourne déjà avec ces options : repris / taken over."
        return {**facts, "did": "taken_over"}, (words,)
    what = ", ".join(differs)
    if keep:
        words = (
            f"Le gardien {state.pid} tourne avec d'autres options, gardées (--keep-guard) ; demandé :"
            f" {what} / runs with other options, kept."
        )
        return {**facts, "did": "kept"}, (words,)
    if not _end(guards):
        raise GuardStaysError(state.pid)
    words = (
        f"Le gardien {state.pid} tournait avec d'autres options : {what}. Il est arrêté proprement et"
        " relancé avec celles-ci / it ran with other options: ended, started again with these."
    )
    return {**facts, "did": "restarted"}, (words,)


def _end(guards: ProcessGuards) -> bool:
    """Ask the guard to end cleanly; whether it did in time."""
    guards.terminate()
    until = time.monotonic() + _STOP_SECONDS
    while (state := guards.status()) is not None and state.running:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@agent.command("stop-guard")
@_home
@_json
def stop_guard(home: Path, as_json: bool) -> None:
    """Finir le gardien proprement / end the guard cleanly. Only while no agent runs.

    Ending the agent leaves the guard at work on purpose; this is for taking it out of service.
    """
    place = Home(home)
    config = place.config()
    with wiring.only_agent(place):
        running = not _end(ProcessGuards(place.guard, ()))
    words = [
        "Le gardien ne finit pas / does not end." if running else "Plus de gardien / no guard."
    ]
    stores = wiring.guard_stores(config)
    words += [
        f"Reste son magasin, des copies des fichiers gardés / its store stays, copies of files: {one}"
        for one in stores
    ]
    _say(as_json, {"guard_running": running, "stores": stores}, "\n".join(words))


@agent.command()
@_home
@_json
def status(home: Path, as_json: bool) -> None:
    """Où en est l'agent / how the agent is.

    Ends with 0 only when the agent works, its guard runs if one is asked for, and the server answers
    or was not asked yet; else with the status of the gravest fault, after the same lines.
    """
    place = Home(home)
    config = place.config()
    spool = wiring.open_spool(place, config)
    guard = ProcessGuards(place.guard, ()).status()
    running, contact = _is_running(place), HomeContactFile(place.contact).load()
    guard_runs = guard is not None and guard.running
    facts = Shown(
        host=config.host,
        name=config.host_name,
        structure=config.structure_name,
        server=config.url,
        agent_running=running,
        guard_running=guard_runs,
        guard_pid=guard.pid if guard is not None and guard_runs else None,
        events_waiting=spool.waiting(),
        server_answers=answers(contact, agent_running=running),
        server_knows_agent=knows_agent(contact),
        server_answered_at=contact.answered_at,
        server_away_since=contact.away_since,
        server_away_why=contact.why,
    )
    spool.close()
    words = shown(facts, guard_asked=bool(config.guard), now=SystemClock().now())
    _say(as_json, msgspec.to_builtins(facts), words)
    if (wrong := fault(facts, guard_asked=bool(config.guard))) is not None:
        raise wrong


def _is_running(place: Home) -> bool:
    try:
        with wiring.only_agent(place):
            return False
    except wiring.AgentRunningError:
        return True


@agent.command()
@_home
@click.option("--file", "source", type=click.File("rb"), default="-", help="JSON lines of a guard.")
@click.option("--send", is_flag=True, help="Send now, without a running agent.")
@_json
def feed(home: Path, source: IO[bytes], send: bool, as_json: bool) -> None:
    """Donner des lignes d'un gardien comme événements de cette machine / feed recorded lines.

    Reads as lines come; each is on disk before the next is read from a pipe.
    """
    place = Home(home)
    config = place.config()
    spool = wiring.open_spool(place, config)
    intake = wiring.open_intake(place, config, spool)
    taken = 0
    with wiring.feeding(place):
        while lines := source.readlines(256 * 1024) if source is not sys.stdin.buffer else _line():
            taken += intake.feed(b"".join(lines))
    sent = 0
    if send:
        try:
            sent = anyio.run(wiring.flush, place, config, spool)
        except TemporaryError as error:
            raise ServerUnreachableError(config.url, str(error)) from error
    spool.close()
    _say(as_json, {"events": taken, "sent": sent}, f"{taken} événements, {sent} envoyés.")


def _line() -> list[bytes]:
    line = sys.stdin.buffer.readline()
    return [line] if line else []


@agent.command()
@_home
@click.argument("tokens", nargs=-1, required=True)
@_json
def names(home: Path, tokens: tuple[str, ...], as_json: bool) -> None:
    """Les noms clairs de jetons, d'ici seulement / the clear names of tokens, here only."""
    place = Home(home)
    spool = wiring.open_spool(place, place.config())
    found = {token: spool.name_of(token) for token in tokens}
    spool.close()
    _say(as_json, found, "\n".join(f"{t}  {p or '(inconnu / unknown)'}" for t, p in found.items()))


def _say(as_json: bool, facts: Mapping[str, object], words: str) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False) if as_json else words)
