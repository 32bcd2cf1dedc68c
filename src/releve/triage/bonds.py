"""Why two incidents are one attack: the same machine, account, client, program or indicator, close in time."""

import datetime as dt

import msgspec

from releve.model.finding import Severity
from releve.model.incident import Entry, Incident

# Every machine has them: that two hosts know the name says nothing.
_EVERYWHERE = frozenset({"", "0", "root", "system", "nobody", "administrator", "administrateur"})
_LONGEST = 80  # of a name that an attacker chose
_SENTENCES = {
    "family": (
        "Relié parce que c’est la suite du même programme arrêté.",
        "Linked because it goes on with the same program that was stopped.",
    ),
    "host": (
        "Relié parce que cela touche la même machine, à moins d’une demi-heure.",
        "Linked because it touches the same machine, within half an hour.",
    ),
    "account": (
        "Relié parce que le même compte, {value}, agit aussi sur cette machine.",
        "Linked because the same account, {value}, acts on this machine too.",
    ),
    "client": (
        "Relié parce que le même poste, {value}, écrit aussi sur cette machine.",
        "Linked because the same client, {value}, writes to this machine too.",
    ),
    "extension": (
        "Relié par un même indicateur : la même extension, ajoutée aux fichiers, est vue aussi sur cette machine.",
        "Linked by the same indicator: the same extension, added to files, is seen on this machine too.",
    ),
    "note": (
        "Relié par un même indicateur : un texte du même nom, laissé dans des dossiers, est aussi sur cette machine.",
        "Linked by the same indicator: a text of the same name, left in folders, is seen on this machine too.",
    ),
    "program": (
        "Relié parce que le même programme, {value}, a été arrêté aussi sur cette machine.",
        "Linked because the same program, {value}, was stopped on this machine too.",
    ),
}


class Bond(msgspec.Struct, frozen=True):
    """`kind` is a row of the sentences; `value` is what both have."""

    kind: str
    value: str = ""

    @property
    def is_own(self) -> bool:
        """Of the same host: stronger than what hosts have in common."""
        return self.kind in ("family", "host")


def bond(one: Incident, other: Incident, quiet: dt.timedelta) -> Bond | None:
    """Why they belong together; None when they do not, or when a person said so.

    It never goes away as incidents grow: hence the order in which findings come does not matter.
    """
    if one.structure != other.structure:
        return None
    if {one.id, *one.merged} & set(other.apart) or {other.id, *other.merged} & set(one.apart):
        return None
    if _families(one) & _families(other):
        return Bond("family")
    if one.crowded or other.crowded:  # of any time and anything: it would take in all the others
        return None
    if one.opened_at - quiet > other.last_at or other.opened_at - quiet > one.last_at:
        return None
    if set(one.hosts) & set(other.hosts):
        return Bond("host")
    shared = min(_traits(one) & _traits(other), default=None)
    return Bond(*shared) if shared else None


def crowded_line(identity: str, at: dt.datetime, host: str, most: int) -> Entry:
    """The line that tells why so much lies in one incident."""
    return Entry(
        at=at,
        kind="crowded",
        finding="",
        id=identity[:64],
        severity=Severity.SERIOUS,
        why=f"Cette machine a déjà {most} incidents ouverts : ce qu’elle dit de plus est réuni ici.",
        why_en=f"This machine has {most} open incidents already: what else it tells is put together here.",
        host=host,
    )


def link_line(why: Bond, identity: str, at: dt.datetime, host: str) -> Entry:
    """The timeline's line that tells the reason."""
    french, english = _SENTENCES[why.kind]
    value = why.value[:_LONGEST]
    return Entry(
        at=at,
        kind="linked",
        finding="",
        id=identity[:64],
        severity=Severity.INFO,
        why=french.format(value=value),
        why_en=english.format(value=value),
        host=host,
    )


def _families(incident: Incident) -> set[tuple[str, str]]:
    told = {(e.host or incident.host, e.family) for e in incident.timeline if e.family}
    return told | {(s.host or incident.host, s.family) for s in incident.stops if s.family}


def _traits(incident: Incident) -> set[tuple[str, str]]:
    found = {
        (token.partition(":")[0], token)
        for tokens in incident.indicators.values()
        for token in tokens
    }
    for stop in incident.stops:
        if stop.user.lower() not in _EVERYWHERE:
            found.add(("account", stop.user.lower()))
        if stop.client:
            found.add(("client", stop.client))
        elif stop.program:  # a file server's own name says nothing of the client it worked for
            found.add(("program", stop.program.rpartition("/")[2]))
    return found
