"""Takes what people send: on a disk of ours first, whole or not at all, and never the last of its room."""

import contextlib
import datetime as dt
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from anyio import to_thread
from litestar.exceptions import ClientException

from releve.apps.web.site import AnyRequest
from releve.apps.web.words import ZONE

_RESERVE = 64 << 20
_BATCH = 1 << 20
_MOST_STEM = 120  # letters: names end at 255 bytes


class TooBigError(Exception):
    """There is no room for it."""


class Sending:
    """A folder of our own, on the disk that also takes what is written into the tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> None:
        """Make the folder; what a crash left in it was never taken."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left in self._folder.iterdir():
            left.unlink()

    @contextlib.asynccontextmanager
    async def receive(self, request: AnyRequest) -> AsyncIterator[BinaryIO]:
        """All of the body, to be read from its beginning; gone afterwards.

        Raises: TooBigError; ClientException when less came than was announced, or how much was not
        said (a connection that is cut must not look like the end of a file).
        """
        said = request.headers.get("content-length", "")
        if not said.isdecimal():
            raise ClientException("the length is not told")
        length = int(said)
        if not self._has_room(2 * length):  # here, and where it belongs
            raise TooBigError
        with tempfile.TemporaryFile(dir=self._folder) as file:
            came = await self._fill(request, file, length)
            if came != length:
                raise ClientException("it did not come whole")
            file.seek(0)
            yield file

    async def _fill(self, request: AnyRequest, file: BinaryIO, length: int) -> int:
        came, waiting, size = 0, list[bytes](), 0
        async for piece in request.stream():
            waiting.append(piece)
            size += len(piece)
            came += len(piece)
            if came > length:
                return came
            if size >= _BATCH:
                await to_thread.run_sync(file.write, b"".join(waiting))
                waiting, size = [], 0
        await to_thread.run_sync(file.write, b"".join(waiting))
        return came

    def _has_room(self, wanted: int) -> bool:
        facts = os.statvfs(self._folder)
        return facts.f_bavail * facts.f_frsize > wanted + _RESERVE


def named_beside(name: str, who: str, now: dt.datetime, number: int) -> str:
    """The name of a version beside another one: whose it is and when it came."""
    pure = PurePosixPath(name)
    person = "".join(sign for sign in who if sign.isprintable() and sign not in '/\\:*?"<>|')[:40]
    more = f" {number}" if number > 1 else ""
    return (
        f"{pure.stem[:_MOST_STEM]} (de {person.strip() or 'inconnu'},"
        f" {now.astimezone(ZONE):%Y-%m-%d %Hh%Mm%S}{more}){pure.suffix[:40]}"
    )
