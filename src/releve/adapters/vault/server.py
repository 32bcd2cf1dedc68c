"""The structures' server, as a vault reaches it: a token for each structure, over its own authority."""

import http.client
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
import structlog

from releve.adapters.vault.layout import Config
from releve.adapters.vault.patience import Deadline, Plain, Tls
from releve.adapters.vault.reports import Reports

log = structlog.get_logger()
_PATIENCE_S = 15
_GONE = 410  # the structure left, or the vault was removed there
_NEVER = frozenset({400, 403, _GONE, 413})  # the same bytes will be refused tomorrow, too
_COMMENT = "#"


class Answer(msgspec.Struct, frozen=True):
    """What became of a post: taken; `why` says why not. `is_final`: trying again is of no use.

    `is_gone`: nobody there is told of any more, which is no fault.
    """

    why: str = ""
    is_final: bool = False
    is_gone: bool = False


class Server:
    """Where heads, notices and standings go; without an address it takes nothing and says nothing."""

    def __init__(
        self,
        url: str = "",
        tokens: dict[str, str] | None = None,
        authority: str = "",
        reports: Reports | None = None,
    ) -> None:
        """A server at an address.

        Args:
            tokens: by the structure's name on this vault; "" is the token for all of them.
            authority: PEM file of the server's own authority; empty: the machine's.
            reports: keeps how it goes; None: nobody does.
        """
        self.url, self.tokens = url, tokens or {}
        self._reports = reports
        self._tls = ssl.create_default_context(cafile=authority) if authority else None

    def __bool__(self) -> bool:
        return bool(self.url)

    def post(self, what: str, body: bytes, structure: str) -> Answer:
        """Send to `/api/v1/vault/<what>` with the structure's token. Blocks for 15 s at most.

        To a server that said that the structure is gone nothing is sent.
        """
        token, reports = self.tokens.get(structure, ""), self._reports
        if reports is not None and reports.is_over(structure, token):
            return Answer("gone", is_final=True, is_gone=True)
        answer = post(f"{self.url}/api/v1/vault/{what}", body, token, self._tls)
        if reports is None:
            return answer
        if not answer.why:
            reports.taken(structure)
        elif answer.is_gone or not answer.is_final:
            reports.refused(structure, token, answer.why, is_gone=answer.is_gone)
        else:  # this one thing is refused: the server knows why, and told its people
            log.warning("not_delivered", what=what, structure=structure, why=answer.why)
        return answer


class _Stays(urllib.request.HTTPRedirectHandler):
    """Is sent on to nobody: the token is for one address, and another page's 200 takes nothing."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def post(url: str, body: bytes, token: str = "", tls: ssl.SSLContext | None = None) -> Answer:
    """POST JSON; whatever stands at the address, it never raises, nor takes longer than its patience."""
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    with Deadline(_PATIENCE_S) as deadline:
        answer = _posted(url, body, headers, tls, deadline)
    if answer.why and deadline.is_over:
        return Answer(f"no answer within {_PATIENCE_S} s")
    return answer


def _posted(
    url: str,
    body: bytes,
    headers: dict[str, str],
    tls: ssl.SSLContext | None,
    deadline: Deadline,
) -> Answer:
    opener = urllib.request.build_opener(_Stays, Plain(deadline), Tls(deadline, tls))
    try:
        request = urllib.request.Request(url, body, headers)  # noqa: S310 (the vault's configuration)
        with opener.open(request, timeout=_PATIENCE_S):
            return Answer()
    except urllib.error.HTTPError as error:
        return Answer(f"HTTP {error.code}", error.code in _NEVER, error.code == _GONE)
    except http.client.HTTPException as error:  # its words are whoever answered's
        return Answer(f"no answer of HTTP ({type(error).__name__})")
    except (OSError, ValueError) as error:
        return Answer(str(error))


def server_of(config: Config, reports: Reports | None = None) -> Server:
    """As `releve vault init` was told."""
    if not config.server_url:
        return Server()
    file = config.server_token_file
    tokens = read_tokens(Path(file).read_text()) if file else {"": ""}
    return Server(config.server_url, tokens, config.server_authority_file, reports)


def read_tokens(text: str) -> dict[str, str]:
    """One token for the whole vault, or a line `STRUCTURE TOKEN` for each structure on it."""
    tokens = {}
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith(_COMMENT):
            tokens[words[0] if len(words) > 1 else ""] = words[-1]
    return tokens
