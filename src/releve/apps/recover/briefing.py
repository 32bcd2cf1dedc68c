"""What `recover start` tells before it opens: from when, why, what is newer, what is not given back."""

import datetime as dt
from collections import Counter

import msgspec

from releve.apps.recover.said import said, voice
from releve.apps.recover.state import Asked
from releve.model.vault import Right
from releve.recover.course import Cause, Course

_REFUSED = 3


class Told(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="course"):
    """The same for programs: counts and times only, no names."""

    target: str
    incident: str
    snapshot: str
    at: dt.datetime | None
    cut: dt.datetime | None
    first_suspect: str | None
    why: tuple[str, ...]
    newer: int
    newer_bytes: int
    instead: int
    databases: int
    withheld: int
    left: int
    view: str
    right: Right | None


def told(asked: Asked) -> Told | None:
    """None when no plan leads there."""
    course = asked.course
    if course is None:
        return None
    count = Counter(piece.cause for piece in course.pieces)
    return Told(
        target=asked.target,
        incident=asked.incident,
        snapshot=course.snapshot,
        at=course.at,
        cut=course.cut,
        first_suspect=course.first_suspect,
        why=tuple(why.code for why in course.why),
        newer=count[Cause.NEWER],
        newer_bytes=sum(piece.size for piece in course.pieces),
        instead=count[Cause.INSTEAD],
        databases=count[Cause.DATABASE],
        withheld=len(course.hidden),
        left=len(course.left),
        view=asked.view,
        right=asked.right,
    )


def sentences(asked: Asked) -> list[str]:
    """For whoever stands there at night."""
    lines = []
    if asked.incident:
        which = asked.incident
        lines.append(said(f"Reprise pour l'incident {which}.", f"Recovery for incident {which}."))
    lines += _right(asked)
    course = asked.course
    if course is None:
        return lines
    if course.cut:
        first = _local(course.cut)
        lines.append(
            said(f"Première écriture malveillante : {first}.", f"First malicious write: {first}.")
        )
    lines.append(_back(course))
    for name, why in course.refused[:_REFUSED]:
        lines.append(said(f"    pas {name[:8]} : {why.fr}", f"    not {name[:8]}: {why.en}"))
    lines += _pieces(course)
    if course.hidden:
        count = len(course.hidden)
        lines.append(said(f"Pas rendus : {count}", f"Not given back: {count}"))
        for one in course.hidden[:_REFUSED]:
            lines.append(said(f"    {one.path} : {one.why.fr}", f"    {one.path}: {one.why.en}"))
    if course.elsewhere:
        others = ", ".join(course.elsewhere)
        lines.append(said(f"Hors de ce dossier : {others}.", f"Not in this folder: {others}."))
    return lines


def _back(course: Course) -> str:
    """From which snapshot the folder comes back, and why from there."""
    name, folder = course.snapshot[:8], course.folder
    when = _local(course.at) if course.at else ""
    reason = course.why[0] if course.why else None
    fr = f"{folder} revient de la sauvegarde {name}{f' du {when}' if when else ''}"
    en = f"{folder} comes back from snapshot {name}{f' of {when}' if when else ''}"
    if reason:
        fr, en = f"{fr} : {reason.fr}", f"{en}: {reason.en}"
    return f"{said(fr, en)}."


def _pieces(course: Course) -> list[str]:
    lines = []
    if course.bases:
        name = course.bases[:8]
        lines.append(
            said(f"Les bases viennent de la sauvegarde {name}.", f"Databases: snapshot {name}.")
        )
    for cause, words in _SAID.items():
        chosen = [piece for piece in course.pieces if piece.cause is cause]
        if chosen:
            size = voice().size(sum(piece.size for piece in chosen))
            times = [piece.at for piece in chosen if piece.at]
            latest = _local(max(times)) if times else ""
            until = said(f", jusqu'au {latest}", f", up to {latest}") if latest else ""
            lines.append(f"{said(*words)} : {len(chosen)} ({size}{until})")
    if course.left:
        count = len(course.left)
        lines.append(
            said(
                f"Plus récents, restés au coffre : {count} (`releve restore`)",
                f"Newer, left at the vault: {count} (`releve restore`)",
            )
        )
    return lines


def _right(asked: Asked) -> list[str]:
    right = asked.right
    if right is None:
        return []
    way = said("deux personnes", "two people")
    if right.path != "two_people":
        way = right.path.replace("agreed:", said("chemin ", "agreed path "))
    took = voice().number(right.to_open_s or 0.0)
    opened = said(f", ouvert en {took} s", f", opened in {took} s")
    since = voice().number(right.since_asked_s)
    return [
        said(
            f"Droit {right.opening} ({way}{opened if right.to_open_s is not None else ''}),"
            f" demandé il y a {since} s ; vue {asked.view or '-'}.",
            f"Right {right.opening} ({way}{opened if right.to_open_s is not None else ''}),"
            f" asked for {since} s ago; view {asked.view or '-'}.",
        )
    ]


_SAID = {
    Cause.NEWER: (
        "Plus récents et sains, posés avant l'ouverture",
        "Newer and sound, laid before people come in",
    ),
    Cause.INSTEAD: (
        "Version d'avant, à la place d'une qui ne peut revenir",
        "The version before, instead of one that may not come back",
    ),
    Cause.DATABASE: (
        "Bases prises dans une autre sauvegarde",
        "Databases taken from another snapshot",
    ),
}


def _local(at: dt.datetime) -> str:
    return f"{at.astimezone():{said('%d/%m/%Y', '%Y-%m-%d')} %H:%M:%S}"
