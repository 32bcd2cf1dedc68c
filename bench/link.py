"""A shaped link between loopback addresses, where the kernel has no netem: rate and round trip.

    .venv/bin/python bench/link.py HOST:PORT --mbit 100 --rtt-ms 20

A process of its own, so that what is measured does not wait for it. One clock per direction: all
connections together get the rate; each byte arrives half a round trip after it was sent, and a new
connection costs one round trip first, as a handshake does. Windows, losses and queues' drops are not
modelled. It prints `{"port": N}`, then counts `{"down": bytes, "up": bytes}` at each line on stdin.
"""

import argparse
import asyncio
import contextlib
import json
import sys

_PIECE = 64 << 10


class Lane:
    """One direction of the link."""

    def __init__(self, bytes_per_s: float, latency_s: float) -> None:
        self._rate, self._latency = bytes_per_s, latency_s
        self._free_at, self.bytes = 0.0, 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the sender ends; at most half a second of traffic is on its way."""
        pending: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)
        delivery = asyncio.create_task(self._deliver(pending, writer))
        loop = asyncio.get_running_loop()
        try:
            while piece := await reader.read(_PIECE):
                self._free_at = max(self._free_at, loop.time()) + len(piece) / self._rate
                self.bytes += len(piece)
                await pending.put((self._free_at + self._latency, piece))
                # The sender is slowed as by a full window: the lane is shared piece by piece.
                await asyncio.sleep(max(0.0, self._free_at - loop.time()))
        finally:
            with contextlib.suppress(asyncio.CancelledError):  # the bench ends
                await pending.put((0.0, b""))
                await delivery

    async def _deliver(
        self, pending: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        gone = False
        while True:
            due, piece = await pending.get()
            if not piece:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not gone:
                writer.write(piece)
                try:
                    await writer.drain()
                except ConnectionError:
                    gone = True
        with contextlib.suppress(OSError):
            if writer.can_write_eof() and not gone:
                writer.write_eof()


class Link:
    """Listens on loopback and carries to one place."""

    def __init__(self, host: str, port: int, *, mbit: float, rtt_s: float) -> None:
        self._to, self._rtt_s = (host, port), rtt_s
        self.up = Lane(mbit * 125_000, rtt_s / 2)
        self.down = Lane(mbit * 125_000, rtt_s / 2)

    async def serve(self) -> None:
        """Until stdin ends."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps({"down": self.down.bytes, "up": self.up.bytes}), flush=True)
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):  # a cancel: the bench ends
            await asyncio.sleep(self._rtt_s)
            there, back = await asyncio.open_connection(*self._to)
            with contextlib.closing(back), contextlib.closing(writer):
                await asyncio.gather(
                    self.up.carry(reader, back),
                    self.down.carry(there, writer),
                    return_exceptions=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("to", help="HOST:PORT")
    parser.add_argument("--mbit", type=float, default=100.0)
    parser.add_argument("--rtt-ms", type=float, default=20.0)
    chosen = parser.parse_args()
    host, _, port = chosen.to.rpartition(":")
    link = Link(host, int(port), mbit=chosen.mbit, rtt_s=chosen.rtt_ms / 1000)
    asyncio.run(link.serve())


if __name__ == "__main__":
    main()
