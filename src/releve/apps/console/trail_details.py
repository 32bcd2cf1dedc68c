"""What the details of the audit trail have in common: who tells one, a pair, a count."""

from collections.abc import Callable

import msgspec

from releve.apps.console.trail_known import Known
from releve.apps.console.words import Words
from releve.model.dossier import Form
from releve.model.law import Law
from releve.model.playbook import Playbooks


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What identifiers in the trail are of; `known`: those of the structure's own things."""

    law: Law
    forms: tuple[Form, ...]
    playbooks: Playbooks
    known: Known = Known()


Told = Callable[[str, Content, Words], str]


def word(section: str) -> Told:
    """The detail is one identifier of ours."""

    def told(detail: str, _content: Content, t: Words) -> str:
        key = f"{section}.{detail}"
        return t(key) if t.has(key) else detail

    return told


def pair(first: str, second: str, t: Words) -> str:
    """As in `Mme Dupo : faux positif`; what was not said leaves no colon behind."""
    colon = t.either("\N{NO-BREAK SPACE}: ", ": ")
    return colon.join(one for one in (first.strip(), second.strip()) if one)


def count(key: str) -> Told:
    """The detail begins with a number of something."""

    def told(detail: str, _content: Content, t: Words) -> str:
        number = detail.partition(" ")[0]
        return t(f"trail_detail.{key}", n=int(number)) if number.isdecimal() else detail

    return told
