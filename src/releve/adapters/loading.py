"""Loading a program: the garbage collector rests, for nothing of what is loaded is garbage."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """What is there at the end is looked through no more. In another one it does nothing.

    The server loads 200,000 objects. A collector that looks through them while they come takes a
    fifth of the time to load, and a tenth of a second of everybody's waiting whenever it looks later.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
