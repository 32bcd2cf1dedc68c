"""A TOML file that a person wrote: read, or said in plain words what is wrong with it and where."""

import re
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import inspect

from releve.model.errors import UsageError

T = TypeVar("T")
_STEP = re.compile(r"\[[^]]*\]|[^.\[]+")
_NUMBER = re.compile(r"\[(\d+)\]\.?")
_ANY_KEY = "[...]"  # the decoder does not say under which word of a table
_WANTED = re.compile(r"Expected `(\w+)(?: \| null)?`, got `(\w+)`")
_KINDS = {
    "str": "a text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a table",
    "date": "a date (2026-11-22)",
}
_WORDS = (
    (re.compile(r"Object missing required field `(.*)`"), r"\1 is missing"),
    (re.compile(r"Object contains unknown field `(.*)`"), r"\1 is not a word of this file"),
    (re.compile(r"Expected `str` matching regex '(.*)'"), r"it is not of the form \1"),
    (re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)"), r"a number \1 \2 is wanted"),
    (re.compile(r"Expected `\w+` of length (>=|<=) (\d+)"), r"its length is wanted \1 \2"),
)


class NotOfFormError(ValueError):
    """What is wrong, and where."""


def read_written(path: Path, of: type[T], template: str) -> T:
    """What the file says. `template`: the command that prints one to fill in.

    Raises: UsageError: there is no such file; NotOfFormError.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        unread = UsageError(f"{path} cannot be read: {why}.")
        unread.remedy = f"Name a file that is there; a new one begins with `{template} > FILE`."
        raise unread from error
    try:
        return msgspec.toml.decode(content, type=of)
    except msgspec.ValidationError as error:
        raise NotOfFormError(_plain(str(error), of)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotOfFormError(f"it is no TOML: {error}") from error


def _plain(said: str, of: type) -> str:
    """The decoder's sentence in words for whoever wrote the file."""
    what, _, place = said.partition(" - at `$")
    place = place.strip(".`")
    if found := _WANTED.fullmatch(what):
        wanted, got = (_KINDS.get(kind, kind) for kind in found.groups())
        what = f"{wanted} is wanted, not {got}"
    elif allowed := _allowed(of, place):
        what = f"{what.removeprefix('Invalid enum value ')} is not one of {', '.join(allowed)}"
    for pattern, words in _WORDS:
        what = pattern.sub(words, what)
    named = place.replace(_ANY_KEY, "")
    where = _NUMBER.sub(lambda found: f" no. {int(found[1]) + 1}, ", named).rstrip(", ")
    return f"{where}: {what}" if where else what


def _allowed(of: type, place: str) -> list[str]:
    """The values that may stand there; none when it is no choice."""
    here: inspect.Type | None = inspect.type_info(of)
    for step in _STEP.findall(place):
        here = _below(here, step)
    if isinstance(here, inspect.EnumType):
        return [member.value for member in here.cls]
    return []


def _below(here: inspect.Type | None, step: str) -> inspect.Type | None:
    if isinstance(here, inspect.UnionType):
        # Of a word or a table, the table: only that one has something below.
        some = [one for one in here.types if not isinstance(one, inspect.NoneType)]
        here = next((one for one in some if isinstance(one, inspect.StructType)), some[0])
    if isinstance(here, inspect.Metadata):
        here = here.type
    if isinstance(here, inspect.StructType):
        return next((field.type for field in here.fields if field.encode_name == step), None)
    if isinstance(here, inspect.VarTupleType):
        return here.item_type
    return here.value_type if isinstance(here, inspect.DictType) else None
