"""Once a period, spread a little, so that the hosts of one site do not meet."""

from collections.abc import Awaitable, Callable
from random import Random

import anyio


async def once_a_period(
    act: Callable[[], Awaitable[object]],
    every_seconds: float,
    chance: Random,
    first: tuple[float, float],
) -> None:
    """Act for ever; the first time after a share of the period between the two of `first`."""
    await anyio.sleep(every_seconds * chance.uniform(*first))
    while True:
        await act()
        await anyio.sleep(every_seconds * chance.uniform(0.9, 1.1))
