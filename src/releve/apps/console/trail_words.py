"""An entry of the audit trail in the reader's words: who, what it is about, what was done, its detail.

The trail itself keeps identifiers, and both languages where it says something; what people wrote in
it, and names that they gave, are shown as they are.
"""

import msgspec

from releve.apps.console import trail_access, trail_case
from releve.apps.console.trail_details import Content
from releve.apps.console.trail_things import Thing, actor, thing, verb
from releve.apps.console.words import Words
from releve.flow.server.ports import AuditEntry

__all__ = ["Content", "TrailRow", "row"]

_DETAILS = trail_case.DETAILS | trail_access.DETAILS


class TrailRow(msgspec.Struct, frozen=True, kw_only=True):
    """`about`: which clock or dossier, beside the object; empty for others. `verb`: empty without words."""

    entry: AuditEntry
    actor: Thing
    object: Thing
    verb: str
    about: str
    detail: str


def row(entry: AuditEntry, content: Content, t: Words) -> TrailRow:
    kind, _, rest = entry.object.partition("/")
    told = _DETAILS.get((kind, entry.verb)) or trail_case.OF_A_KIND.get(kind)
    detail = told(entry.detail, content, t) if told and entry.detail else entry.detail
    if (kind, entry.verb) == ("action", "refuse") and not detail:
        detail = t("lapsed.no_reason")
    return TrailRow(
        entry=entry,
        actor=actor(entry.actor, content.known, t),
        object=thing(entry.object, content.known, t),
        verb=verb(entry.verb, entry.object, t),
        about=_about(kind, rest, content, t),
        detail=detail,
    )


def _about(kind: str, rest: str, content: Content, t: Words) -> str:
    which = rest.rpartition("/")[2]
    if kind == "dossier":
        form = next((f for f in content.forms if f.id == which), None)
        return t.either(form.name.fr, form.name.en) if form else which
    if kind == "obligation":
        duty = next((d for d in content.law.duty if d.id == which), None)
        return t.either(duty.name.fr, duty.name.en) if duty else which
    return ""
