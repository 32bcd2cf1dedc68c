"""The OpenAPI document of the API, made from its operations and the types that serve them."""

import re
from functools import cache
from typing import Any

import msgspec

from releve.apps.api.answers import ApiStructure, Page
from releve.apps.api.call import MOST_ITEMS, USUAL_ITEMS, Operation
from releve.apps.api.operations import OPERATIONS
from releve.apps.web.problems import MEDIA_TYPE, TITLES, Problem

ROOT = "/api/v1"
_REF = "#/components/schemas/{name}"
_ID = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}
_ALWAYS = (400, 401, 403, 404, 413, 429)
_TO_WRITE = (409, 415, 422)
_ABOUT = (
    "Reads and writes the nouns of the console. A token opens one structure or several, for what its scopes"
    " say, until it expires. Lists come in pages, newest first or by id. A POST needs an Idempotency-Key:"
    " asked again within a day, it is answered the same and not done again. Errors are RFC 9457 problems."
)
_STRUCTURES = {
    "operationId": "list_structures",
    "summary": "The structures that the token opens, and for what.",
}


@cache
def document() -> bytes:
    """JSON, the same for the same code."""
    return msgspec.json.encode(_document())


def _document() -> dict[str, Any]:
    types = [Problem, Page[ApiStructure]]
    for operation in OPERATIONS:
        types += [one for one in (operation.body, operation.answer) if one is not None]
    found, components = msgspec.json.schema_components(types, ref_template=_REF)
    schemas = dict(zip(map(_key, types), found, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path = paths.setdefault(f"{ROOT}/structures/{{structure}}{operation.path}", {})
        path[operation.method.lower()] = _operation(operation, schemas)
    answer = _content(schemas[_key(Page[ApiStructure])], "application/json", "What was asked.")
    listed = _STRUCTURES | {
        "parameters": _paging(),
        "responses": {"200": answer, **_problems(schemas, 422)},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Relève", "version": "1", "description": _ABOUT},
        "security": [{"token": []}],
        "paths": {f"{ROOT}/structures": {"get": listed}, **paths},
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    names = ("structure", *re.findall(r"{(\w+)}", operation.path))
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _ID} for name in names
    ]
    if operation.is_list:
        parameters += _paging()
    if operation.needs_key:
        schema = {"type": "string", "pattern": "^[!-~]{1,200}$"}
        key = {"name": "Idempotency-Key", "in": "header", "required": True, "schema": schema}
        parameters.append(key)
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Scope: `{operation.scope.value}`.",
        "security": [{"token": [operation.scope.value]}],
        "parameters": parameters,
        "responses": {
            str(operation.status): _answer(operation, schemas),
            **_problems(schemas, *(_TO_WRITE if operation.writes else (422,))),
        },
    }
    if operation.body is not None:
        schema = schemas[_key(operation.body)]
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return made


def _answer(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "Done."}
    return _content(schemas[_key(operation.answer)], "application/json", "What was asked.")


def _paging() -> list[dict[str, Any]]:
    limit = {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": USUAL_ITEMS}
    cursor = {"type": "string", "description": "`next` of the page before."}
    return [
        {"name": "limit", "in": "query", "schema": limit},
        {"name": "cursor", "in": "query", "schema": cursor},
    ]


def _problems(schemas: dict[str, Any], *more: int) -> dict[str, Any]:
    schema = schemas[_key(Problem)]
    return {
        str(status): _content(schema, MEDIA_TYPE, TITLES[status])
        for status in sorted((*_ALWAYS, *more))
    }


def _content(schema: dict[str, Any], media_type: str, said: str) -> dict[str, Any]:
    return {"description": said, "content": {media_type: {"schema": schema}}}
