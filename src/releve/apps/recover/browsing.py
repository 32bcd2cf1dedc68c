"""The working data by browser: folders, files, what is sent back, and who opened what.

Addresses hold no names: a path is sealed with a key of this recovery. Every opening is in the
structure's journal before its first byte leaves.
"""

import datetime as dt
import os
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

import msgspec
import structlog
from anyio import CapacityLimiter, to_thread
from litestar import Litestar, Response, get, post, put
from litestar.exceptions import ClientException, HTTPException, NotFoundException
from litestar.exceptions import PermissionDeniedException as Forbidden
from litestar.params import FromPath
from litestar.response import Stream

from releve.adapters.tree import AwayError, Entry, Stored, Tree
from releve.apps.recover.opened import OpenedJournal
from releve.apps.recover.sealing import Seal
from releve.apps.recover.seeking import Seeking
from releve.apps.recover.sending import Sending, TooBigError, named_beside
from releve.apps.web.origin import check_origin
from releve.apps.web.ranges import Part, part_of
from releve.apps.web.site import (
    AnyRequest,
    Inside,
    Site,
    application,
    check_token,
    enter,
    form_of,
    go,
    page,
)
from releve.recover.wanted import Wanted

log = structlog.get_logger()
WRITE, READ_LOG = "write", "log"
_FORM_BYTES = 64 * 1024
_CHUNK = 256 * 1024
_SHOWN = 2000
_LINES = 300
_LONGEST = 200
_READS = CapacityLimiter(16)
# What browsers show by themselves without running anything of it.
_SHOWS = {
    ".pdf": "application/pdf", ".txt": "text/plain; charset=utf-8", ".png": "image/png",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
}  # fmt: skip


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What the pages of one recovery work with."""

    name: str  # of the folder, as people know it
    tree: Tree
    seal: Seal
    journal: OpenedJournal
    seeking: Seeking
    sending: Sending
    read_only: bool


def browsing_site(site: Site, room: Room) -> Litestar:
    """The whole site."""
    routes = [home, folder, seek, sought, read, show, renew, bring, opened, exported]
    return application(site, routes, most_bytes=_FORM_BYTES, room=room)


def _room(request: AnyRequest) -> Room:
    found: Room = request.app.state["room"]
    return found


def _path(room: Room, sealed: str) -> str:
    path = room.seal.open(sealed)
    if path is None:
        raise NotFoundException
    return path


@get("/")
async def home(request: AnyRequest) -> Response[str]:
    return await _folder(enter(request), _room(request), "")


@get("/d/{sealed:str}")
async def folder(request: AnyRequest, sealed: FromPath[str]) -> Response[str]:
    inside, room = enter(request), _room(request)
    return await _folder(inside, room, _path(room, sealed))


async def _folder(inside: Inside, room: Room, path: str) -> Response[str]:
    entries = await _ask(room.tree.list, path)
    rows = [(room.seal.close(entry.path), entry, _is_shown(entry)) for entry in entries[:_SHOWN]]
    trail = [("", room.name)]
    parts = PurePosixPath(path).parts
    trail += [(room.seal.close("/".join(parts[: n + 1])), part) for n, part in enumerate(parts)]
    facts: dict[str, Any] = {"rows": rows, "trail": trail, "name": [room.name, *parts][-1]}
    facts |= {"is_cut": len(entries) > _SHOWN, "here": room.seal.close(path), "sought": False}
    return page(inside.visit, "folder.html", **facts, **_rights(inside, room))


def _rights(inside: Inside, room: Room) -> dict[str, Any]:
    may_write = inside.session.may(WRITE) and not room.read_only
    return {"may_write": may_write, "may_see_log": inside.session.may(READ_LOG)}


@post("/chercher", status_code=200)
async def seek(request: AnyRequest) -> Response[str]:
    inside, room = enter(request), _room(request)
    fields = await form_of(request, inside.session)
    said = fields.get("nom", "").strip()[:_LONGEST]
    return go(f"/r/{room.seal.close(said)}" if Wanted.of(said).is_enough else "/")


@get("/r/{sealed:str}")
async def sought(request: AnyRequest, sealed: FromPath[str]) -> Response[str]:
    inside, room = enter(request), _room(request)
    said = _path(room, sealed)
    entries, is_cut = await _ask(room.seeking.find, Wanted.of(said))
    rows = [(room.seal.close(entry.path), entry, _is_shown(entry)) for entry in entries]
    facts: dict[str, Any] = {
        "rows": rows,
        "trail": [("", room.name)],
        "name": said,
        "is_cut": is_cut,
    }
    facts |= {"here": "", "sought": True}
    return page(inside.visit, "folder.html", **facts, **_rights(inside, room))


@get("/f/{sealed:str}")
async def read(request: AnyRequest, sealed: FromPath[str]) -> Response[Any]:
    """The file, to be kept by the browser; parts of it when it asks for parts."""
    return await _read(request, sealed, is_shown=False)


@get("/v/{sealed:str}")
async def show(request: AnyRequest, sealed: FromPath[str]) -> Response[Any]:
    """The file, shown by the browser itself; kinds that run nothing only."""
    return await _read(request, sealed, is_shown=True)


async def _read(request: AnyRequest, sealed: str, *, is_shown: bool) -> Response[Any]:
    inside, room = enter(request), _room(request)
    path = _path(room, sealed)
    file, entry = await _ask(room.tree.open, path)
    try:
        tag = f'"{entry.mark}"'
        # A part of another version than the first parts were of would make a broken file.
        said = request.headers.get("if-range", tag)
        part = part_of(request.headers.get("range", "") if said == tag else "", entry.size)
        kind = _SHOWS.get(PurePosixPath(path).suffix.lower(), "") if is_shown else ""
        headers = {"etag": tag, "accept-ranges": "bytes", "content-disposition": _named(path, kind)}
        if part is None:
            file.close()
            headers["content-range"] = f"bytes */{entry.size}"
            return Response("", status_code=416, headers=headers, media_type="text/plain")
        who, address = inside.session.person, inside.visit.address
        await to_thread.run_sync(room.journal.note, who, address, path, "read", inside.visit.now)
    except BaseException:
        file.close()
        raise
    headers["content-length"] = str(part.length)
    if not part.is_whole:
        headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{entry.size}"
    return Stream(
        _pieces(file, part),
        status_code=200 if part.is_whole else 206,
        headers=headers,
        media_type=kind or "application/octet-stream",
    )


def _named(path: str, kind: str) -> str:
    name = PurePosixPath(path).name.encode(errors="replace").decode()
    how = "inline" if kind else "attachment"
    return f"{how}; filename*=UTF-8''{quote(name, safe='')}"


async def _pieces(file: BinaryIO, part: Part) -> AsyncIterator[bytes]:
    """The bytes of a part; the file is closed whatever becomes of the reader."""
    try:
        left = part.length
        await to_thread.run_sync(file.seek, part.start)
        while left:
            piece = await to_thread.run_sync(file.read, min(_CHUNK, left), limiter=_READS)
            if not piece:  # cut short meanwhile: the reader sees that it is not whole
                return
            left -= len(piece)
            yield piece
    finally:
        file.close()


@put("/f/{sealed:str}", request_max_body_size=None, status_code=200)
async def renew(request: AnyRequest, sealed: FromPath[str]) -> Response[bytes]:
    """A new version of a file; `x-base` is the mark of the one that the sender had."""
    room = _room(request)
    return await _take(request, room, _path(room, sealed), request.headers.get("x-base", ""))


@put("/d/{sealed:str}", request_max_body_size=None, status_code=200)
async def bring(request: AnyRequest, sealed: FromPath[str]) -> Response[bytes]:
    """A file for a folder; its name comes percent-encoded in `x-name`."""
    room = _room(request)
    name = unquote(request.headers.get("x-name", ""))
    if not name or "/" in name or "\\" in name or not name.isprintable():
        raise ClientException("the name cannot be used")
    return await _take(request, room, f"{_path(room, sealed)}/{name}".lstrip("/"), "")


async def _take(request: AnyRequest, room: Room, path: str, base: str) -> Response[bytes]:
    inside = enter(request, WRITE)
    check_origin(request)
    check_token(inside.session, request.headers.get("x-csrf", ""))
    if room.read_only:
        raise Forbidden("nothing is taken here")
    who, now = inside.session.person, inside.visit.now
    try:
        async with room.sending.receive(request) as content:
            stored = await _ask(_put, room, path, content, base, who, now)
    except TooBigError as error:
        raise HTTPException(status_code=507) from error
    how = "beside" if stored.is_beside else "write"
    address = inside.visit.address
    await to_thread.run_sync(room.journal.note, who, address, stored.path, how, now)
    told = {"name": PurePosixPath(stored.path).name, "beside": stored.is_beside}
    return Response(msgspec.json.encode(told), media_type="application/json")


def _put(room: Room, path: str, content: BinaryIO, base: str, who: str, now: dt.datetime) -> Stored:
    name = PurePosixPath(path).name
    return room.tree.put(
        path, content, base=base, beside=lambda number: named_beside(name, who, now, number)
    )


@get("/journal")
async def opened(request: AnyRequest) -> Response[str]:
    """Who opened what: for those of the structure who may know."""
    inside, room = enter(request, READ_LOG), _room(request)
    last = await to_thread.run_sync(room.journal.journal.last, _LINES)
    lines = [(dt.datetime.fromisoformat(line.at), line) for line in last]
    whole = await to_thread.run_sync(room.journal.journal.check)
    facts: dict[str, Any] = {"lines": lines, "whole": whole, "room": room.name, "shown": _LINES}
    return page(inside.visit, "journal.html", **facts, **_rights(inside, room))


@get("/journal.jsonl")
async def exported(request: AnyRequest) -> Response[bytes]:
    enter(request, READ_LOG)
    path = _room(request).journal.journal.path
    body = await to_thread.run_sync(_bytes, path)
    headers = {"content-disposition": 'attachment; filename="journal.jsonl"'}
    return Response(body, media_type="application/jsonl", headers=headers)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _is_shown(entry: Entry) -> bool:
    return PurePosixPath(entry.path).suffix.lower() in _SHOWS and not entry.is_folder


async def _ask(what: Any, *given: Any) -> Any:
    """A question to the folder, in a thread; what is not there is a page that says so."""
    try:
        return await to_thread.run_sync(what, *given, limiter=_READS)
    except AwayError as error:
        raise HTTPException(status_code=503) from error
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotFoundException from error
    except PermissionError as error:
        raise Forbidden from error
    except OSError as error:
        log.warning("folder_failed", error=os.strerror(error.errno or 0))  # no name
        raise HTTPException(status_code=503) from error
