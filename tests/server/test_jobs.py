"""What the server does by itself goes on after it failed once."""

import anyio
import pytest

from releve.apps.server.printable import printable
from releve.apps.server.wiring import _again_and_again


def test_a_job_that_fails_is_done_again_and_ends_no_other() -> None:
    done: list[str] = []

    async def fails() -> None:
        done.append("fails")
        raise OSError("database is locked")

    async def main() -> None:
        with anyio.move_on_after(30):
            async with anyio.create_task_group() as tasks:

                async def works() -> None:
                    done.append("works")
                    if min(done.count("fails"), done.count("works")) > 1:
                        tasks.cancel_scope.cancel()

                tasks.start_soon(_again_and_again, fails, 0.01)
                tasks.start_soon(_again_and_again, works, 0.01)

    anyio.run(main)
    assert done.count("fails") > 1
    assert done.count("works") > 1


@pytest.mark.parametrize("text", ["a\nCabinet  999  admin  erase", "\x1b[2Jx", "\u202edroit"])
def test_an_entry_of_the_trail_is_one_line_without_orders_to_the_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) > len(text)
