"""Running one command to its end, with a deadline and bounded output."""

import subprocess
import time
from collections.abc import Sequence

import anyio

from releve.flow.agent.ports import Outcome

_MOST_OUTPUT = 1024 * 1024


class ProcessCommands:
    """Each command in its own session; it is ended with its group when its time is over."""

    async def run(self, arguments: Sequence[str], *, seconds: float) -> Outcome:
        started = time.monotonic()
        try:
            process = await anyio.open_process(
                list(arguments), stdin=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            return Outcome(status=None, stderr=str(error).encode())
        out, err = bytearray(), bytearray()
        timed_out = True
        async with process:
            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_drain, process.stdout, out)
                    tasks.start_soon(_drain, process.stderr, err)
                await process.wait()
                timed_out = False
            if timed_out:
                process.kill()
        return Outcome(
            status=process.returncode,
            stdout=bytes(out),
            stderr=bytes(err),
            ms=(time.monotonic() - started) * 1000,
            timed_out=timed_out,
        )


async def _drain(stream: anyio.abc.ByteReceiveStream | None, into: bytearray) -> None:
    if stream is None:
        return
    async for chunk in stream:
        into += chunk
        # The end is kept: a command's result is its last line, after hours of progress.
        del into[:-_MOST_OUTPUT]
