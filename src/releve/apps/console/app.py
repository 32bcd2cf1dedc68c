"""The console's parts, for the server to put into its application."""

from typing import Any

import msgspec
from litestar.types import ExceptionHandlersMap

from releve.apps.console.context import Context


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    routes: list[Any]
    middleware: list[Any]
    state: dict[str, Any]
    exception_handlers: ExceptionHandlersMap


def console_parts(context: Context) -> Parts:
    return Parts(routes=[], middleware=[], state={}, exception_handlers={})
