"""The whole agent on one page."""

import fcntl
import hmac
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import SystemRandom

import anyio
import structlog
from anyio import to_thread

import releve
from releve.adapters.contact_file import HomeContactFile
from releve.adapters.help_pad import HelpPad
from releve.adapters.http.client import HttpServer
from releve.adapters.process.commands import ProcessCommands
from releve.adapters.process.files import FileSource
from releve.adapters.process.guards import ProcessGuards
from releve.adapters.process.isolation import CommandIsolation, IsolationFile
from releve.adapters.process.papers import CommandPapers
from releve.adapters.process.people import named
from releve.adapters.recoveries import Recoveries
from releve.adapters.spool.sqlite import SqliteSpool
from releve.adapters.system import SystemClock
from releve.apps.agent.config import Config, Home
from releve.flow.agent.backup import back_up_forever
from releve.flow.agent.contact import NotedServer
from releve.flow.agent.drill import drill_forever
from releve.flow.agent.help import HelpDesk
from releve.flow.agent.isolation import tell_isolation_forever
from releve.flow.agent.obey import CommandFor, Obedience, Place, listen_forever
from releve.flow.agent.papers import tell_papers_forever
from releve.flow.agent.ports import Commands, Guards
from releve.flow.agent.recovery import RecoveryTeller, tell_recoveries_forever
from releve.flow.agent.send import Pace, send_forever, send_once
from releve.flow.agent.supervise import Backoff, Intake, supervise_forever
from releve.flow.wire import Vitals
from releve.model.errors import ReleveError
from releve.model.order import Isolate, Order, Release, RestoreFile, StopFamily, ThawFamily
from releve.sense.path_token import PathKey

# -P: root does not load programs from the folder that it happens to stand in
RELEVE = (sys.executable, "-P", "-m", "releve.apps.cli.main")
# Where `releve isolate` keeps what is cut; the variable is the one that it reads itself.
BOX_HOME = Path(os.environ.get("RELEVE_BOX_HOME", "/var/lib/releve/box"))
# The same for `releve backup` and `releve key`, unless the backup's own words name a folder.
BACKUP_STATE = os.environ.get("RELEVE_BACKUP_STATE") or "/var/lib/releve/backup"
log = structlog.get_logger()


class AgentRunningError(ReleveError):
    """One agent per home: two would both start the guard and send the spool."""

    status = 47
    remedy = (
        "L'arrêter d'abord : `systemctl stop releve-agent`, ou Ctrl-C là où il tourne ; il relancerait le"
        " gardien. / Stop it first, or use another --home: it would start the guard again."
    )

    def __init__(self, home: Path) -> None:
        super().__init__(f"Un agent travaille déjà / an agent already runs: {home}.")


@contextmanager
def only_agent(home: Home) -> Iterator[None]:
    descriptor = os.open(home.path / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AgentRunningError(home.path) from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def feeding(home: Home) -> Iterator[None]:
    """While lines of a guard come from elsewhere."""
    descriptor = os.open(home.feeding, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def is_fed(home: Home) -> bool:
    """Whether lines of a guard come from elsewhere, at this moment."""
    descriptor = os.open(home.feeding, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def open_spool(home: Home, config: Config) -> SqliteSpool:
    return SqliteSpool(home.spool, most_bytes=config.spool_bytes)


def open_server(home: Home, config: Config) -> HttpServer:
    return HttpServer(
        config.url,
        agent=f"{config.structure}/{config.host}",
        key=home.key(),
        server_key=config.server_key,
        authority=home.authority if config.has_authority else None,
    )


def open_intake(home: Home, config: Config, spool: SqliteSpool) -> Intake:
    key = PathKey(key=home.path_key(), labels=config.labels)
    return Intake(spool, FileSource(), key, SystemClock(), named)


def guard_command(config: Config) -> tuple[str, ...]:
    words = config.guard if "--json" in config.guard else (*config.guard, "--json")
    # A file server's guard blocks attacking clients: never the server that this host obeys.
    server = ("--never-block", config.url)
    return (sys.executable, "-P", "-m", "releve.apps.guard", "run", *words, *server)


def guard_stores(config: Config) -> list[str]:
    """Where the guard of this host keeps originals, as far as there are any."""
    from releve.adapters.store.source import stores_near

    named = [word for word in _given(config.guard, "--store")[1:] if Path(word).is_dir()]
    words = config.guard
    folders = [words[n + 1] for n, word in enumerate(words[:-1]) if word == "--protect"]
    near = [store for folder in folders if Path(folder).is_dir() for store in stores_near(folder)]
    return list(dict.fromkeys([*named, *near]))


def backup_command(config: Config) -> tuple[str, ...]:
    """Each backup is judged, from the first on: after an attack nobody waits for that.

    `--no-judge` among the configuration's own words comes later, and counts.
    """
    words = config.backup if "--json" in config.backup else (*config.backup, "--json")
    return (*RELEVE, "backup", "run", "--judge", *words)


def drill_command(config: Config) -> tuple[str, ...]:
    """With the state of the backup's own words, unless the drill's say otherwise."""
    words = config.drill
    place = () if _given(words, "--state") else _given(config.backup, "--state")
    structure = () if _given(words, "--structure") else ("--structure", config.structure_name)
    return (*RELEVE, "drill", "run", "--if-due", "--resume", "--json", *place, *structure, *words)


def paper_sight(commands: Commands, config: Config) -> CommandPapers:
    folder = _given(config.backup, "--state")[1:] or (BACKUP_STATE,)
    return CommandPapers(
        commands, (*RELEVE, "key", "status", "--state", *folder, "--json"), Path(*folder)
    )


def isolation_sight(commands: Commands) -> CommandIsolation:
    command = (*RELEVE, "isolate", "--status", "--json")
    return CommandIsolation(commands, command, BOX_HOME / "isolation.json")


def command_for(spool: SqliteSpool, config: Config) -> CommandFor:
    """The command that carries out an order; None when the host cannot know what is meant."""

    def command(order: Order) -> Sequence[str] | None:
        match order.task:
            case Isolate(minutes=minutes):
                return (*RELEVE, "isolate", *_isolation(config, order, minutes))
            case Release():
                return (*RELEVE, "release", "--json")
            case StopFamily(family=family, is_frozen=is_frozen):
                verb = "kill" if is_frozen else "stop-family"
                return (*RELEVE, "guard", verb, *_guard_place(config), "--json", "--", family)
            case ThawFamily(family=family):
                return (*RELEVE, "guard", "thaw", *_guard_place(config), "--json", "--", family)
            case RestoreFile(token=token, as_of=as_of):
                path = spool.name_of(token)
                if path is None:
                    return None
                words = ("--at", as_of.isoformat(), *_store(config), "--json", "--", path)
                return (*RELEVE, "restore", *words)

    return command


def _isolation(config: Config, order: Order, minutes: int) -> tuple[str, ...]:
    # The link to this server stays; that care may be cut was decided by the order's actor.
    words = ("--server", config.url, "--minutes", str(minutes), "--reason", f"Ordre {order.id}")
    return (*words, "--care-approved-by", order.actor, "--yes", "--json")


def _store(config: Config) -> tuple[str, ...]:
    return _word(config, "--store")


def _guard_place(config: Config) -> tuple[str, ...]:
    return _word(config, "--store") or _word(config, "--protect")


def _word(config: Config, name: str) -> tuple[str, ...]:
    """The option and its value as the guard was given them, or nothing."""
    return _given(config.guard, name)


def _given(words: Sequence[str], name: str) -> tuple[str, ...]:
    for place, word in enumerate(words):
        if word == name:
            return (name, *words[place + 1 : place + 2])
        if word.startswith(f"{name}="):
            return (name, word.partition("=")[2])
    return ()


async def run(home: Home, config: Config) -> None:
    """Until SIGTERM or SIGINT. The guard goes on: it must not depend on the agent's life."""
    spool, server, clock = open_spool(home, config), open_server(home, config), SystemClock()
    chance, commands = SystemRandom(), ProcessCommands()
    pace = Pace(heartbeat_seconds=config.heartbeat_seconds)
    place = Place(
        structure=config.structure, host=config.host, server_key=config.server_key,
        is_demonstration=config.demonstration,
    )  # fmt: skip
    obedience = Obedience(place, spool, commands, command_for(spool, config), server)
    guards = ProcessGuards(home.guard, guard_command(config))

    vitals = partial(vitals_of, home, config, guards)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_signal, tasks.cancel_scope)
        if config.guard:
            intake = open_intake(home, config, spool)
            tasks.start_soon(supervise_forever, guards, intake, spool, clock, Backoff())
        notes = HomeContactFile(home.contact)
        noted = NotedServer(server, notes, clock, config.heartbeat_seconds)
        tasks.start_soon(send_forever, spool, noted, vitals, pace, chance, obedience.hand_on)
        tasks.start_soon(listen_forever, server, obedience, pace, chance)
        tasks.start_soon(obedience.obey_forever)
        told = IsolationFile(home.isolation)
        tasks.start_soon(tell_isolation_forever, isolation_sight(commands), told, spool, clock)
        key = PathKey(key=home.path_key(), labels=config.labels)
        teller = RecoveryTeller(Recoveries(), spool, clock, key)
        tasks.start_soon(tell_recoveries_forever, teller)
        if config.help_port:
            tasks.start_soon(_help, home, config, server, clock)
        if config.backup:
            every = config.backup_every_seconds
            words = backup_command(config)
            tasks.start_soon(back_up_forever, commands, spool, clock, words, every, chance)
            tasks.start_soon(tell_papers_forever, paper_sight(commands, config), spool, clock)
        if config.backup and config.drills:
            every, words = config.drill_asked_every_seconds, drill_command(config)
            tasks.start_soon(drill_forever, commands, spool, clock, words, every, chance)
        log.info("agent_runs", host=config.host, url=config.url, guard=bool(config.guard))
    await server.close()
    spool.close()


async def _help(home: Home, config: Config, server: HttpServer, clock: SystemClock) -> None:
    # What serves pages is loaded only where there is one.
    from releve.apps.agent.help_page import Facts, serve_page

    guards = ProcessGuards(home.guard, ())

    def guard() -> bool | None:
        status = guards.status() if config.guard else None
        return (status is not None and status.running) if config.guard else None

    facts = Facts(
        host_name=config.host_name,
        key=hmac.digest(home.path_key(), b"help page", "sha256"),
        guard=guard,
        now=server.now,
    )
    desk = HelpDesk(HelpPad(home.help), server, clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.follow_forever)
        tasks.start_soon(serve_page, desk, facts, config.help_port)


def vitals_of(home: Home, config: Config, guards: Guards) -> Vitals:
    """A host whose guard was taken away is not protected, whatever the agent was told to run."""
    if config.demonstration:
        return _demonstrated(is_fed(home))
    status = guards.status()
    # None while no guard was ever started here: not down, only not up yet.
    running = None if status is None else status.running
    none = _has_no_folders(config)
    return Vitals(version=releve.__version__, guard_running=running, has_no_folders=none)


def _has_no_folders(config: Config) -> bool:
    """As it was taken in; what a person gave it to guard or back up since counts more."""
    return config.no_folders and not (config.guard or config.backup)


def _demonstrated(runs: bool) -> Vitals:
    return Vitals(version=releve.__version__, guard_running=runs, is_demonstration=True)


async def flush(home: Home, config: Config, spool: SqliteSpool) -> int:
    """Send what is spooled, now; how many events. Raises TemporaryError."""
    server, sent = open_server(home, config), 0
    try:
        vitals = Vitals(
            version=releve.__version__,
            is_demonstration=config.demonstration,
            has_no_folders=_has_no_folders(config),
        )
        # The running agent gets the orders; here they would be answered by nobody.
        while await to_thread.run_sync(spool.waiting):
            sent += await send_once(spool, server, vitals, Pace(), lambda _: None)
    finally:
        await server.close()
    return sent


async def _until_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
            return
