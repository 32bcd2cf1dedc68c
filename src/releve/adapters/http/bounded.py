"""An answer read up to a bound: who answers does not decide how much memory it takes here.

Nothing is unpacked: thirty kilobytes on the wire can be two gigabytes, and it comes in one piece.
"""

import httpx

PLAIN = {"accept-encoding": "identity"}  # of every question whose answer is read here


class UnfitAnswerError(Exception):
    """It is longer than it may be, or packed though it was asked not to be."""


def read(answer: httpx.Response, most: int) -> bytes:
    """`answer`: of a stream. Raises: UnfitAnswerError, httpx.HTTPError."""
    _check(answer)
    body = bytearray()
    for piece in answer.iter_raw():
        _take(body, piece, most)
    return bytes(body)


async def read_async(answer: httpx.Response, most: int) -> bytes:
    """As `read`."""
    _check(answer)
    body = bytearray()
    async for piece in answer.aiter_raw():
        _take(body, piece, most)
    return bytes(body)


def _check(answer: httpx.Response) -> None:
    if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnfitAnswerError("it is packed though it was asked not to be")


def _take(body: bytearray, piece: bytes, most: int) -> None:
    body += piece
    if len(body) > most:
        raise UnfitAnswerError(f"it is longer than {most >> 10} kB")
