"""A host joins its structure: once, by a token; the server is pinned by it."""

import platform
from collections.abc import Mapping, Sequence

import anyio
import msgspec

from releve.adapters.durable import write
from releve.adapters.http.client import HttpServer, NotTheServerError, check_url, fetch_authority
from releve.apps.agent.config import AlreadyEnrolledError, Config, Home, public_bytes
from releve.flow.agent.ports import TemporaryError
from releve.flow.envelope import read_token
from releve.flow.wire import EnrolReply, EnrolRequest
from releve.model.errors import ReleveError
from releve.model.token import EnrolmentToken


class BadTokenError(ReleveError):
    """The words are not an enrolment token."""

    status = 48
    remedy = "Copy the whole line that `releve server token create` printed."

    def __init__(self) -> None:
        super().__init__("This is not an enrolment token.")


class ServerUnreachableError(ReleveError):
    """The server did not answer, or not as itself."""

    status = 49
    remedy = "Check that `releve server run` runs and that its address is reachable from here."

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url} was not reached ({why}).")


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """What a host says of itself when it joins; the words are kept in agent.json."""

    url: str = ""  # another address of the token's server
    name: str = ""  # empty: the machine's own
    carries_care: bool = True
    care_role: str = ""
    guard: Sequence[str] = ()
    backup: Sequence[str] = ()
    is_demonstration: bool = False
    labels: Mapping[str, str] = {}


def join(place: Home, token: str, said: Joining) -> Config:
    """Enrol and keep who we are now. Cut off before that is kept, it may be done again with the same token.

    Raises: BadTokenError, AlreadyEnrolledError, ServerUnreachableError, those of the client.
    """
    known = read_token(token)
    if known is None:
        raise BadTokenError
    if place.is_enrolled():
        raise AlreadyEnrolledError(place.path)
    place.make()
    url = (said.url or known.url).rstrip("/")
    request = EnrolRequest(
        secret=known.secret,
        public_key=public_bytes(place.key()),
        name=said.name or platform.node() or "poste",
        carries_care=said.carries_care,
        care_role=said.care_role,
    )
    reply = _ask(place, url, known, request)
    config = Config(
        url=url,
        structure=reply.structure,
        structure_name=reply.structure_name,
        host=reply.host,
        host_name=request.name,
        server_key=known.server_key,
        has_authority=bool(known.ca_sha256),
        guard=tuple(said.guard),
        backup=tuple(said.backup),
        demonstration=said.is_demonstration,
        labels=dict(said.labels),
    )
    place.write_config(config)
    return config


def _ask(place: Home, url: str, known: EnrolmentToken, request: EnrolRequest) -> EnrolReply:
    check_url(url)
    authority = None
    try:
        if known.ca_sha256:
            text = fetch_authority(url, known.ca_sha256)
            write(place.authority, text.encode())
            authority = place.authority
        elif url.startswith("https:"):
            raise NotTheServerError("authority")
        server = HttpServer(
            url, agent="new", key=place.key(), server_key=known.server_key, authority=authority
        )
        return anyio.run(server.enrol, request)
    except TemporaryError as error:
        raise ServerUnreachableError(url, str(error)) from error
