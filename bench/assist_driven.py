"""Calls for help on a driven clock: seventy days in seconds, with the real driver, database and fold."""

import datetime as dt
import threading
from pathlib import Path
from random import Random

import anyio
import sqlalchemy as sa
from assist_outcome import Outcome, outcome

from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.rows import from_text
from releve.adapters.sql.tables import help_wake
from releve.adapters.system import new_id
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.assist.escalation import Limits
from releve.flow.server.assist import answering, rotas
from releve.flow.server.assist.asking import Asked, ask
from releve.flow.server.assist.escalating import TICK_SECONDS, Escalations
from releve.flow.server.assist.ports import Call, ChannelFailed, Message
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.live import Live
from releve.model.help import Absence, Channel, Responder, Rota, Shift

START = dt.datetime(2026, 9, 20, tzinfo=dt.UTC)
DAYS = 70  # over the night of 25 October 2026, which has 25 hours
STRUCTURES = 4
TICK = dt.timedelta(seconds=TICK_SECONDS)
_NEVER = START + dt.timedelta(days=100_000)


class Driven:
    """A clock that is set, and people with their habits behind it."""

    def __init__(self, chance: Random) -> None:
        self.at, self.chance = START, chance
        self.answers: list[tuple[dt.datetime, str]] = []  # (when, by which code)
        self.rung: list[tuple[str, int]] = []
        self.lock = threading.Lock()

    def now(self) -> dt.datetime:
        return self.at

    def ring(self, url: str, message: Message) -> None:
        """A dead channel refuses; the first ones do not answer; others do three times in ten."""
        with self.lock:
            habit = url.rpartition("/")[2]
            if habit == "dead":
                raise ChannelFailed("refused")
            if habit != "absent" and self.chance.random() < 0.3:
                later = dt.timedelta(seconds=self.chance.uniform(3, 60))
                self.answers.append((self.at + later, message.body))


class World:
    def __init__(self, folder: Path, chance: Random) -> None:
        home = Home(folder)
        home.make()
        self.store, self.people, self.chance = make_store(home), Driven(chance), chance
        self.engine = open_engine(sqlite_url(folder))
        self.is_dying = False
        self.ids: list[str] = []
        self.outages: list[tuple[dt.datetime, dt.datetime]] = []
        self.looked_at = START - TICK
        self.sent_again = 0
        self.structures = [self._structure(n) for n in range(STRUCTURES)]
        self.driver = self._driver()

    def _structure(self, number: int) -> str:
        made = ensure_structure(self.store, f"Cabinet {number}", f"s{number}", START)
        rotas.keep(self.store, made.id, rota(), actor="bench", now=START)
        return made.id

    def _driver(self) -> Escalations:
        driver = Escalations(
            self.store,
            self.people,
            Live(),
            ringer=self.people,
            tell=self._told,
            new_code=new_id,
            limits=Limits(),
        )
        if self.outages:
            driver.wake_all(self.people.at)
        return driver

    def _told(self, call: Call) -> Message:
        with self.people.lock:
            key = (call.request, call.number)
            self.sent_again += key in self.people.rung
            self.people.rung.append(key)
        return Message(title=call.structure_name, body=call.code)

    def open(self) -> None:
        identity, now = new_id(), self.people.at
        asked = Asked(id=identity, source="console", by="bench", at=now)
        ask(self.store, self.chance.choice(self.structures), asked, now)
        self.ids.append(identity)

    def look(self) -> None:
        self.looked_at = self.people.at
        if self.is_dying:
            self._die()
            return

        async def once() -> None:
            async with anyio.create_task_group() as tasks:
                await self.driver.look(tasks)

        anyio.run(once)

    def kill(self) -> None:
        self.is_dying = True

    def _die(self) -> None:
        """In the middle of its next look: what it keeps there is sent by nobody; time passes."""
        self.is_dying = False
        for structure, request in self.driver.waking():
            for call in self.driver.move(structure, request):
                self.people.rung.append((call.request, call.number))
        killed_at = self.people.at
        self.people.at += dt.timedelta(seconds=self.chance.uniform(0.2, 40))
        self.outages.append((killed_at, self.people.at))
        self.driver = self._driver()

    def next_look(self) -> dt.datetime:
        """The first tick of the server at or after something is due."""
        with self.engine.begin() as connection:
            said = connection.execute(sa.select(sa.func.min(help_wake.c.at))).scalar_one()
        if said is None:
            return _NEVER
        due = from_text(said)
        begun = self.outages[-1][1] if self.outages else START
        at = begun + -((begun - max(due, self.people.at)) // TICK) * TICK
        return at if at > self.looked_at else at + TICK

    def answer(self) -> None:
        self.people.answers.sort()
        _, code = self.people.answers.pop(0)
        answering.answer(self.store, code, self.people.at)


def driven(folder: Path, requests: int, chance: Random) -> Outcome:
    """So many calls; one in five is under way when the server is killed."""
    world = World(folder, chance)
    openings = sorted(START + dt.timedelta(days=chance.uniform(0, DAYS)) for _ in range(requests))
    kills = sorted(
        at + dt.timedelta(seconds=chance.uniform(0, 200))
        for at in chance.sample(openings, requests // 5)
    )
    while True:
        at, what = min(
            (openings[0] if openings else _NEVER, "open"),
            (min((a for a, _ in world.people.answers), default=_NEVER), "answer"),
            (kills[0] if kills else _NEVER, "kill"),
            (world.next_look(), "look"),
        )
        if at == _NEVER:
            break
        world.people.at = max(world.people.at, at)
        if what == "open":
            openings.pop(0)
        if what == "kill":
            kills.pop(0)
        getattr(world, what)()
    return outcome(world.store, world.ids, world.outages, world.sent_again)


def rota() -> Rota:
    """Days and nights, a second and a third behind them, an absence, and a hole each Sunday night."""
    weekdays = ("mon", "tue", "wed", "thu", "fri", "sat")
    return Rota(
        timezone="Europe/Paris",
        people=tuple(
            Responder(
                id=name,
                name=f"{name.capitalize()} Martin",
                channels=tuple(
                    Channel(name=f"c{n}", url=f"json://h/{h}") for n, h in enumerate(habits)
                ),
            )
            for name, habits in (
                ("ali", ("absent", "dead")),
                ("bea", ("dead",)),
                ("cyr", ("web", "dead")),
                ("dia", ("web",)),
            )
        ),
        shifts=(
            Shift(person="ali", rank=1, hours="08:00-20:00"),
            Shift(person="bea", rank=1, days=weekdays, hours="20:00-08:00"),
            Shift(person="cyr", rank=2, days=weekdays),
            Shift(person="dia", rank=3, hours="06:00-23:30"),
        ),
        absences=(Absence(person="ali", since=dt.date(2026, 10, 20), until=dt.date(2026, 11, 2)),),
    )
