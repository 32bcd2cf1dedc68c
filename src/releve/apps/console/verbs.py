"""What each page and form does, in one table: a route that has no row here is refused."""

import re

from litestar.exceptions import PermissionDeniedException

from releve.apps.console.context import AnyRequest
from releve.model.access import Verb

# Of whoever comes: the door, a link with its own code, what browsers load.
OPEN = frozenset(
    {
        "GET /setup", "POST /setup", "GET /enrol", "POST /enrol", "GET /login", "POST /login",
        "GET /login/second", "POST /login/second", "POST /login/passkey/ask", "POST /login/passkey",
        "GET /login/identity/{name:str}", "GET /login/identity/{name:str}/return",
        "POST /login/identity/{name:str}/ended", "GET /login/identity/{name:str}/left",
        "GET /login/break-glass", "POST /login/break-glass", "POST /logout",
        "GET /a/{code:str}", "POST /a/{code:str}", "GET /static/{digest:str}/{name:path}", "GET /up",
    }
)  # fmt: skip
_CASE = "/incidents/{identity:str}"
_DOSSIER = f"{_CASE}/dossiers/{{kind:str}}"
VERBS = {
    "GET /": Verb.ARRIVE,
    "GET /live": Verb.LOOK,
    "GET /vault": Verb.LOOK,
    "GET /vault/live": Verb.LOOK,
    "GET /playbooks": Verb.LOOK,
    "GET /playbooks/{name:str}": Verb.LOOK,
    "GET /playbooks/{name:str}/sheet.pdf": Verb.LOOK,
    "GET /health": Verb.SEE_TRAIL,
    "GET /help": Verb.ASK_HELP,
    "POST /help": Verb.ASK_HELP,
    "GET /help/file": Verb.ASK_HELP,
    "GET /help/{identity:str}": Verb.ASK_HELP,
    "GET /help/{identity:str}/live": Verb.ASK_HELP,
    "POST /help/{identity:str}/take": Verb.ANSWER_HELP,
    "POST /help/{identity:str}/close": Verb.ANSWER_HELP,
    "GET /desk": Verb.SEE_DESK,
    "GET /desk/live": Verb.SEE_DESK,
    "POST /would-stop/review": Verb.ACT,
    "POST /hosts/{host:str}/ask": Verb.ACT,
    "POST /actions/{identity:str}/{decision:str}": Verb.ACT,
    "GET /incidents": Verb.SEE_INCIDENTS,
    f"GET {_CASE}": Verb.SEE_INCIDENTS,
    f"GET {_CASE}/live": Verb.SEE_INCIDENTS,
    f"POST {_CASE}/close": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/reopen": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/take": Verb.ANSWER_HELP,
    f"POST {_CASE}/merge": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/split": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/care/{{service:str}}": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/tasks": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/tasks/{{task:str}}/done": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/evidence": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/hand-over": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/ransom": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/playbooks": Verb.HANDLE_INCIDENTS,
    f"POST {_CASE}/playbooks/{{name:str}}/{{step:str}}": Verb.HANDLE_INCIDENTS,
    "GET /account": Verb.OWN_ACCOUNT,
    "POST /account/passkeys/ask": Verb.OWN_ACCOUNT,
    "POST /account/passkeys": Verb.OWN_ACCOUNT,
    "POST /account/passkeys/{identity:str}/remove": Verb.OWN_ACCOUNT,
    "POST /account/identity/{name:str}/link": Verb.OWN_ACCOUNT,
    "POST /account/identity/{identity:str}/unlink": Verb.OWN_ACCOUNT,
    "POST /account/sessions/end": Verb.OWN_ACCOUNT,
    "POST /account/password": Verb.OWN_ACCOUNT,
    "POST /account/codes": Verb.OWN_ACCOUNT,
    "GET /account/phone": Verb.OWN_ACCOUNT,
    "POST /account/phone": Verb.OWN_ACCOUNT,
    "POST /break-glass/seen": Verb.CHANGE_PEOPLE,
    "GET /statements": Verb.SEE_STATEMENTS,
    "POST /statements/{month:str}": Verb.MAKE_STATEMENTS,
    "GET /statements/{month:str}/{file:str}": Verb.SEE_STATEMENTS,
    "GET /obligations": Verb.SEE_DUTIES,
    "GET /obligations/register": Verb.SEE_DUTIES,
    f"GET {_CASE}/obligations": Verb.SEE_DUTIES,
    f"POST {_CASE}/obligations": Verb.PREPARE_DUTIES,
    f"POST {_CASE}/obligations/{{duty:str}}/sent": Verb.SIGN_DUTIES,
    f"POST {_CASE}/obligations/{{duty:str}}/not-due": Verb.SIGN_DUTIES,
    f"GET {_DOSSIER}": Verb.SEE_DUTIES,
    f"GET {_DOSSIER}/{{file:str}}": Verb.SEE_DUTIES,
    f"POST {_DOSSIER}/make": Verb.PREPARE_DUTIES,
    f"POST {_DOSSIER}/edit": Verb.PREPARE_DUTIES,
    f"POST {_DOSSIER}/sign": Verb.SIGN_DUTIES,
    f"POST {_DOSSIER}/receipt": Verb.PREPARE_DUTIES,
    "GET /papers": Verb.SEE_DUTIES,
    "GET /papers/{name:str}/{file:str}": Verb.SEE_DUTIES,
    "GET /people": Verb.SEE_PEOPLE,
    "POST /people/{person:str}/end": Verb.CHANGE_PEOPLE,
    "GET /tools": Verb.CHANGE_TOOLS,
    "POST /tools": Verb.CHANGE_TOOLS,
    "POST /tools/{token:str}/revoke": Verb.CHANGE_TOOLS,
    "GET /structures": Verb.CHOOSE,
    "POST /structures": Verb.CHOOSE,
    "GET /posture": Verb.LOOK,
    "GET /settings": Verb.SEE_SETTINGS,
    "POST /settings/identity": Verb.CHANGE_SETTINGS,
    "POST /settings/contacts": Verb.CHANGE_SETTINGS,
    "POST /settings/services": Verb.CHANGE_SETTINGS,
    "POST /settings/on-attack": Verb.CHANGE_SETTINGS,
    "POST /settings/circles/{circle:str}/join": Verb.CONSENT,
    "POST /settings/circles/{circle:str}/leave": Verb.CONSENT,
    "GET /group": Verb.SEE_GROUP,
    "GET /insurer": Verb.SEE_SUMS,
    "GET /situation": Verb.SEE_SITUATION,
    "GET /situation/live": Verb.SEE_SITUATION,
    "GET /situation/wall": Verb.SEE_SITUATION,
    "GET /situation/wall/live": Verb.SEE_SITUATION,
}


_PLACES = tuple(
    (
        route.partition(" ")[0],
        re.compile(re.sub(r"\{\w+:str\}", "[^/]+", route.partition(" ")[2])),
        verb,
    )
    for route, verb in VERBS.items()
)


def verb_at(method: str, address: str) -> Verb | None:
    """What a link or a form does, by the same table; None for an address of no row."""
    path = address.partition("#")[0].partition("?")[0]
    return next((v for m, at, v in _PLACES if m == method and at.fullmatch(path)), None)


def verb_of(request: AnyRequest) -> Verb:
    """Raises: PermissionDeniedException, for a route without a row."""
    (path,) = request.route_handler.paths
    verb = VERBS.get(f"{request.method} {path}")
    if verb is None:
        raise PermissionDeniedException("no verb is known for this route")
    return verb
