"""One transaction of the visitor's structure, in a thread; what was changed wakes the live pages."""

from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread

from releve.apps.console.web import Entered
from releve.flow.server.live import orders_of
from releve.flow.server.ports import Unit

T = TypeVar("T")


async def reading(entered: Entered, read: Callable[[Unit], T]) -> T:
    def work() -> T:
        with entered.visit.context.store.unit(entered.structure, writes=False) as unit:
            return read(unit)

    return await to_thread.run_sync(work)


async def writing(entered: Entered, write: Callable[[Unit], T]) -> T:
    def work() -> T:
        with entered.visit.context.store.unit(entered.structure) as unit:
            return write(unit)

    done = await to_thread.run_sync(work)
    for topic in (entered.structure, orders_of(entered.structure)):
        entered.visit.context.live.touch(topic)
    return done
