"""GLPI by its REST API (apirest.php), as its apirest.md says: a session, tickets, what follows them.

See https://github.com/glpi-project/glpi/blob/10.0/bugfixes/apirest.md
"""

import contextlib
import functools
import ssl
from html import escape
from typing import Any, TypeVar

import anyio
import httpx
import msgspec

from releve.adapters.http import bounded
from releve.flow.server.ticket_ports import GlpiFailed
from releve.model.ticket import Glpi

T = TypeVar("T")
_SECONDS = 10.0  # for a whole answer: one that drips is as good as none
_MOST_BYTES = 4 << 20
_NAME, _ID = 1, 2  # search options of every item
_FORBIDDEN, _NONE, _UNKNOWN = (401, 403), 404, 400


class _Session(msgspec.Struct, frozen=True):
    session_token: str


class _Added(msgspec.Struct, frozen=True):
    id: int


class _Ticket(msgspec.Struct, frozen=True):
    status: int
    is_deleted: int = 0  # in GLPI's bin: it is still answered


class _Found(msgspec.Struct, frozen=True):
    """Rows as a list, or by id: both are in use."""

    data: list[dict[str, Any]] | dict[str, Any] = []


class GlpiDesk:
    """One session. Whoever answers may be in an attacker's hands: time and length are bounded.

    One connection per question, each with an event loop of its own: for threads without one.

    Raises: GlpiFailed.
    """

    def __init__(self, glpi: Glpi) -> None:
        self._mapping = glpi.mapping
        try:
            self._verify = ssl.create_default_context(cadata=glpi.authority or None)
        except (ssl.SSLError, ValueError) as error:
            raise GlpiFailed("tls") from error
        self._url = glpi.url
        # GLPI wants the kind on every call, of those without a body too.
        kind = {"content-type": "application/json", "app-token": glpi.app_token}
        self._headers = bounded.PLAIN | kind | {"authorization": f"user_token {glpi.user_token}"}
        token = self._get("initSession", _Session).session_token
        self._headers = bounded.PLAIN | kind | {"session-token": token}

    def create(self, name: str, content: str, urgency: int) -> int:
        mapping = self._mapping
        wanted = {
            "name": name,
            "content": _html(content),
            "type": mapping.kind,
            "urgency": urgency,
            "entities_id": mapping.entity,
            "itilcategories_id": mapping.category,
            "_users_id_requester": mapping.requester,
        }
        return self._add("Ticket", {key: value for key, value in wanted.items() if value})

    def find(self, mark: str) -> int:
        criteria = {
            "criteria[0][field]": str(_NAME),
            "criteria[0][searchtype]": "contains",
            "criteria[0][value]": mark,
            "forcedisplay[0]": str(_ID),
        }
        found = self._get("search/Ticket", _Found, criteria).data
        numbers = (
            list(found) if isinstance(found, dict) else [row.get(str(_ID), 0) for row in found]
        )
        try:
            return min((int(number) for number in numbers), default=0)
        except (TypeError, ValueError) as error:
            raise GlpiFailed("refused") from error

    def follow(self, ticket: int, content: str) -> None:
        self._add("ITILFollowup", _on(ticket, content))

    def solve(self, ticket: int, content: str) -> None:
        self._add("ITILSolution", _on(ticket, content))

    def status(self, ticket: int) -> int:
        found = self._get(f"Ticket/{ticket}", _Ticket)
        if found.is_deleted:
            raise GlpiFailed("gone")
        return found.status

    def close(self) -> None:
        with contextlib.suppress(GlpiFailed):
            self._ask("GET", "killSession")

    def _add(self, what: str, fields: dict[str, Any]) -> int:
        return _read(self._ask("POST", what, json={"input": fields}), _Added).id

    def _get(self, what: str, kind: type[T], params: dict[str, str] | None = None) -> T:
        return _read(self._ask("GET", what, params=params or {}), kind)

    def _ask(self, method: str, what: str, **more: Any) -> bytes:
        try:
            status, body = anyio.run(functools.partial(self._answer, method, what, **more))
        except TimeoutError as error:
            raise GlpiFailed("unreachable") from error
        except bounded.UnfitAnswerError as error:
            raise GlpiFailed("refused") from error
        except httpx.ConnectError as error:
            is_tls = isinstance(error.__context__, ssl.SSLError) or "SSL" in str(error)
            raise GlpiFailed("tls" if is_tls else "unreachable") from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise GlpiFailed("unreachable") from error
        if status in _FORBIDDEN or (what == "initSession" and status == _UNKNOWN):
            raise GlpiFailed("login")
        if status == _NONE:
            raise GlpiFailed("gone")
        if httpx.codes.is_server_error(status):
            raise GlpiFailed("ill")
        if not httpx.codes.is_success(status):
            raise GlpiFailed("refused")
        return body

    async def _answer(self, method: str, what: str, **more: Any) -> tuple[int, bytes]:
        with anyio.fail_after(_SECONDS):
            async with (
                httpx.AsyncClient(
                    base_url=self._url,
                    headers=self._headers,
                    verify=self._verify,
                    timeout=_SECONDS,
                    trust_env=False,
                ) as client,
                client.stream(method, what, **more) as answer,
            ):
                return answer.status_code, await bounded.read_async(answer, _MOST_BYTES)


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except msgspec.DecodeError as error:
        raise GlpiFailed("page" if body.lstrip()[:1] == b"<" else "refused") from error


def _on(ticket: int, content: str) -> dict[str, Any]:
    return {"itemtype": "Ticket", "items_id": ticket, "content": _html(content)}


def _html(text: str) -> str:
    """GLPI shows HTML: a text must stay one."""
    return escape(text).replace("\n", "<br>")
