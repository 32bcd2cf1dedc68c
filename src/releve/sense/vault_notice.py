"""A vault's notices: as they may leave the vault, and as events. No clear path, bounded in size."""

import datetime as dt
from collections.abc import Mapping

import msgspec

from releve.model.event import VaultNoticed
from releve.sense.path_token import scrub, token_of

_LONGEST, _MOST_FACTS = 300, 24
_SHOWN = 10  # letters of a token: enough to tell two places apart


class NoticeUnreadableError(Exception):
    """The record is no notice of a vault."""


class _Record(msgspec.Struct, frozen=True):
    notice: str
    at_ns: int
    about: str = ""


_record = msgspec.json.Decoder(_Record).decode
_facts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def leaving(record: Mapping[str, str | int], key: bytes) -> dict[str, str | int]:
    """The record as it may leave the vault: a place becomes a token, sentences lose paths and names.

    Objects of the store (`structure/host/generation/kind/hash`) name no file, and stay.
    """
    return {
        name: _hidden(value, key) if isinstance(value, str) else value
        for name, value in record.items()
    }


def whose(record: Mapping[str, str | int]) -> str:
    """The structure that it is about, by its name on the vault; empty: the vault as a whole."""
    named = record.get("structure", "")
    return named if isinstance(named, str) else ""


def read(body: bytes, now: dt.datetime) -> VaultNoticed:
    """The event of a record that came. Raises: NoticeUnreadableError."""
    try:
        record, rest = _record(body), _facts(body)
        at = dt.datetime.fromtimestamp(record.at_ns / 1e9, dt.UTC)
    except (msgspec.DecodeError, ValueError, OverflowError, OSError) as error:
        raise NoticeUnreadableError from error
    if not record.notice or len(rest) > _MOST_FACTS:
        raise NoticeUnreadableError
    facts = {
        name[:40]: scrub(_text(raw))[:_LONGEST]
        for name, raw in rest.items()
        if name not in ("notice", "at_ns", "about")
    }
    return VaultNoticed(
        # A vault whose clock runs ahead must not put tomorrow's line into today's incident.
        seen_at=min(at, now),
        notice=record.notice[:40],
        about=scrub(record.about)[:_LONGEST],
        facts=facts,
    )


def at_ns(body: bytes) -> int:
    """When the vault made it; with its kind that is what tells two notices apart."""
    return _record(body).at_ns


def _text(raw: msgspec.Raw) -> str:
    value = msgspec.json.decode(raw)
    return value if isinstance(value, str) else str(value)


def _hidden(value: str, key: bytes) -> str:
    if value.startswith("/"):
        return token_of(key, value)[:_SHOWN]
    if "://" in value:  # an address may hold a name and a password
        scheme, _, rest = value.partition("://")
        return f"{scheme}://{token_of(key, rest)[:_SHOWN]}"
    return scrub(value)
