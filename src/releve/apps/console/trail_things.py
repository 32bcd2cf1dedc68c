"""Who and what an entry of the audit trail names, in the reader's words: for pages and for terminals."""

import msgspec

from releve.apps.console.trail_known import Known
from releve.apps.console.words import Words

_OURS = ("server", "admin", "console")
_UNSAID = ("passkey", "action")  # their identifiers tell nobody anything


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: in words; then its `name`, or `which`: the identifier that is left to tell.

    `path`: the page of an incident, a call, clocks or dossiers.
    """

    kind: str = ""
    name: str = ""
    which: str = ""
    path: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.name, self.which)))


def thing(said: str, known: Known, t: Words) -> Thing:
    kind, _, which = said.partition("/")
    if not t.has(f"trail_kind.{kind}"):
        return Thing(which=said)
    words = t(f"trail_kind.{kind}")
    if said in known.objects:
        return Thing(kind=words, name=known.objects[said])
    if kind in ("obligation", "dossier"):
        incident = which.partition("/")[0]
        return Thing(kind=words, which=incident, path=f"/incidents/{incident}/obligations")
    if kind in ("help", "incident"):
        page = "help" if kind == "help" else "incidents"
        return Thing(kind=words, which=which, path=f"/{page}/{which}")
    return Thing(kind=words, which="" if kind in _UNSAID else which)


def actor(said: str, known: Known, t: Words) -> Thing:
    """Somebody whose login is one of our words is shown by it, and is not taken for the server."""
    if said in known.logins:
        return Thing(kind=said)
    if said.startswith("token/"):
        return Thing(kind=t("trail.token"), which=said.removeprefix("token/"))
    if said in known.objects:
        return thing(said, known, t)
    return Thing(kind=t(f"trail.{said}") if said in _OURS else said)


def verb(said: str, about: str, t: Words) -> str:
    """Empty where there are no words for it."""
    key = "create_token" if said == "create" and about.startswith("token/") else said
    return t(f"verb.{key}") if t.has(f"verb.{key}") else ""
