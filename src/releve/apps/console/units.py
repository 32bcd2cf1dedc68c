"""A page's work in one unit of the structure of whoever signed in, off the event loop."""

from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread

from releve.apps.console.context import Context
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
    """Commits, then tells the structure's live pages and hosts that there is news."""

    def work() -> T:
        with entered.visit.context.store.unit(entered.structure) as unit:
            return write(unit)

    done = await to_thread.run_sync(work)
    told(entered.visit.context, entered.structure)
    return done


def told(context: Context, structure: str) -> None:
    """The structure's live pages and hosts look again."""
    for topic in (structure, orders_of(structure)):
        context.live.touch(topic)
